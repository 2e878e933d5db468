package record

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// Finetune is the training of a target's policy alone, as search/TARGET.json remembers it: later runs and further
// profiles go on with its result.
type Finetune struct {
	Epochs   float64         `json:"epochs"`
	Stamp    string          `json:"stamp"`    // of everything that decides the result
	Supernet string          `json:"supernet"` // stamp of the supernet that it starts from
	Policy   quantize.Policy `json:"policy"`
}

// FinetuneStage names the fine-tuning of the policy of a target in the manifest.
func FinetuneStage(target string) event.Stage { return event.Stage("polish " + target) }

// ReadFinetune is what search/TARGET.json says of fine-tuning; nil: nothing. Where that is damaged and fine-tuning was
// done, a run that does not state it ends: another file would be exported.
func ReadFinetune(w *workspace.Workspace, target string, stated bool) (*Finetune, error) {
	var f Search
	err := w.ReadJSON(SearchFile(target), nil, &f)
	damage := (*workspace.DamageError)(nil)
	if errors.As(err, &damage) && !stated && w.Manifest.Stages[string(FinetuneStage(target))].Done {
		return nil, fmt.Errorf("%w; it said how the policy was polished: mpqc compress --target %s --polish EPOCHS makes it anew", err, target)
	}
	if err != nil {
		return nil, nil //nolint:nilerr // it says nothing
	}
	return f.Finetune, nil
}

// WriteFinetune makes search/TARGET.json say how the policy was fine-tuned; nil: not at all.
func WriteFinetune(w *workspace.Workspace, target string, m *Finetune) error {
	var f Search
	if err := w.ReadJSON(SearchFile(target), nil, &f); err != nil {
		return err
	}
	f.Finetune = m
	return w.WriteJSON(SearchFile(target), f)
}

// Added compares what was delivered, whose predictions were right where hits says, with the policy before.
func (m *Finetune) Added(before Measured, hits []byte) *Polish {
	return &Polish{Epochs: m.Epochs, Fingerprint: m.Stamp, Before: before.Metric, Gain: GainOf(hits, before.Hits)}
}
