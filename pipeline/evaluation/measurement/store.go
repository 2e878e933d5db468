package measurement

import (
	"encoding/json"
	"fmt"

	"github.com/mpqc/mpqc/internal/safetensors"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
)

// maxKeptLogits is the largest number of outputs that Archive stores. Beyond it, measuring again costs less than the
// disk.
const maxKeptLogits = 64 << 20

// tallyRecord is the part of a result that is stored as text.
type tallyRecord struct {
	Key    string  `json:"key"`
	N      int     `json:"n"`
	Right  int     `json:"right"`
	Right5 int     `json:"right5"`
	Loss   float64 `json:"loss"`
	Labels bool    `json:"labels"`
}

// tallyKey is the key of the metadata that holds a tallyRecord.
const tallyKey = "org.mpqc.tally"

// Archive stores a result with its logits under a key that identifies what was measured. It is nil if the logits are
// too many.
func (r *Result) Archive(key string) (*safetensors.Archive, error) {
	if 4*len(r.Logits) > maxKeptLogits || r.Tally.N == 0 {
		return nil, nil
	}
	t := r.Tally
	text, err := json.Marshal(tallyRecord{key, t.N, t.Right, t.Right5, t.Loss, t.Labels})
	if err != nil {
		return nil, fmt.Errorf("keep scores: %w", err)
	}
	return &safetensors.Archive{
		Arrays:   map[string]safetensors.Array{"logits": {Shape: tensor.Shape{t.N, len(r.Logits) / t.N}, Data: r.Logits}},
		Metadata: map[string]string{tallyKey: string(text)},
	}, nil
}

// Restored reads what Archive stored. It is nil if key or outputs differ from what was stored.
func Restored(a *safetensors.Archive, key string, outputs metric.Outputs) *Result {
	var t tallyRecord
	if json.Unmarshal([]byte(a.Metadata[tallyKey]), &t) != nil || t.Key != key {
		return nil
	}
	logits := a.Arrays["logits"]
	if len(logits.Shape) != 2 || logits.Shape[0] != t.N || logits.Shape[1] != outputs.Row() || len(logits.Data) == 0 {
		return nil
	}
	if min(t.Right, t.Right5) < 0 || max(t.Right, t.Right5) > t.N {
		return nil
	}
	return &Result{Outputs: outputs, Tally: metric.Tally{N: t.N, Right: t.Right, Right5: t.Right5, Loss: t.Loss, Labels: t.Labels}, Logits: logits.Data}
}
