package pipeline

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// Test pictures are touched once: what was measured on them stays in scores/ of the workspace, under a fingerprint of
// everything that decides it. A search for a further target then measures nothing but its own result.

// testKey is the fingerprint of a measurement on the test pictures.
func (j *job) testKey(parts ...any) (string, error) {
	return workspace.Fingerprint(append(parts, j.data.Stamp, j.o.Provider, ort.Version())...)
}

// testIndices are all test pictures that can be used.
func (j *job) testIndices(ctx context.Context) ([]int, error) {
	if err := j.checkTest(ctx); err != nil {
		return nil, err
	}
	return pictures.All(j.data.Test.Len()), nil
}

// floatScoresFile holds the float model's outputs for the test pictures.
const floatScoresFile = "scores/float.safetensors"

// maxKeptLogits bounds floatScoresFile: beyond, measuring anew costs less than a disk full of numbers.
const maxKeptLogits = 64 << 20

// floatReference is the float model on the test pictures.
func (j *job) floatReference(ctx context.Context) (*reference, error) {
	if j.base != nil {
		return j.base, nil
	}
	parts := []any{"float", j.w.Manifest.Model.SHA256}
	if j.parts.Tail() != nil { // where the model is cut follows from what is excluded
		parts = append(parts, onnx.Names(j.float.Graph.Outputs()))
	}
	key, err := j.testKey(parts...)
	if err != nil {
		return nil, err
	}
	if r := loadReference(j.w.Path(floatScoresFile), key); r != nil {
		list, err := j.outputs()
		if err != nil {
			return nil, err
		}
		r.outputs, j.base = list, r
		return r, nil
	}
	model, err := j.floatDocument()
	if err != nil {
		return nil, err
	}
	indices, err := j.testIndices(ctx)
	if err != nil {
		return nil, err
	}
	rep := j.o.Events.Start(event.StageEval, "float", fmt.Sprintf("%d test pictures", len(indices)))
	r, err := j.measure(ctx, model, j.data.Test, indices, measurement{keep: true}, rep)
	if err != nil {
		return nil, err
	}
	text := ""
	if t := r.top1(); t != nil {
		text = fmt.Sprintf("top-1 %.2f %%", 100**t)
	}
	rep.Done(text)
	j.base = r
	return r, j.saveReference(r, key)
}

// keptTally is the part of a reference that is stored as text.
type keptTally struct {
	Key    string  `json:"key"`
	N      int     `json:"n"`
	Right  int     `json:"right"`
	Right5 int     `json:"right5"`
	Loss   float64 `json:"loss"`
	Labels bool    `json:"labels"`
}

const tallyKey = "org.mpqc.tally"

func (j *job) saveReference(r *reference, key string) error {
	if j.w.ReadOnly || 4*len(r.logits) > maxKeptLogits || r.tally.N == 0 {
		return nil
	}
	t := r.tally
	text, err := json.Marshal(keptTally{key, t.N, t.Right, t.Right5, t.Loss, t.Labels})
	if err != nil {
		return fmt.Errorf("keep scores: %w", err)
	}
	a := quantize.Archive{
		Arrays:   map[string]quantize.Array{"logits": {Shape: tensor.Shape{t.N, len(r.logits) / t.N}, Data: r.logits}},
		Metadata: map[string]string{tallyKey: string(text)},
	}
	return a.Save(j.w.Path(floatScoresFile))
}

// loadReference is nil where the file does not hold what the key asks for.
func loadReference(path, key string) *reference {
	a, err := quantize.LoadArchive(path)
	if err != nil {
		return nil
	}
	var t keptTally
	if json.Unmarshal([]byte(a.Metadata[tallyKey]), &t) != nil || t.Key != key {
		return nil
	}
	logits := a.Arrays["logits"]
	if len(logits.Shape) != 2 || logits.Shape[0] != t.N {
		return nil
	}
	return &reference{tally: metric.Tally{N: t.N, Right: t.Right, Right5: t.Right5, Loss: t.Loss, Labels: t.Labels}, logits: logits.Data}
}
