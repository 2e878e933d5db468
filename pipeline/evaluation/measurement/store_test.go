package measurement

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mpqc/mpqc/internal/safetensors"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
)

// TestArchive: what was kept comes back under its key and for its outputs alone; results that are too large are not
// kept.
func TestArchive(t *testing.T) {
	outputs := metric.Outputs{{To: 3}}
	kept := &Result{Tally: metric.Tally{N: 2, Right: 1, Right5: 2, Loss: 0.5, Labels: true}, Outputs: outputs, Logits: []float32{1, 2, 3, 4, 5, 6}}
	a, err := kept.Archive("key")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(kept, Restored(a, "key", outputs), cmpopts.IgnoreUnexported(Result{}, metric.Tally{}, metric.Output{})); d != "" {
		t.Error(d)
	}
	large := &Result{Tally: metric.Tally{N: 1}, Logits: make([]float32, maxKeptLogits/4+1)}
	if a, err := large.Archive("large"); err != nil || a != nil {
		t.Errorf("too large: %v, %v", a, err)
	}
	logits := func(shape ...int) map[string]safetensors.Array {
		return map[string]safetensors.Array{"logits": {Shape: shape, Data: kept.Logits}}
	}
	for _, tc := range []struct {
		name, key, tally string
		arrays           map[string]safetensors.Array
	}{
		{"another key", "other", a.Metadata[tallyKey], a.Arrays},
		{"no tally", "key", "", a.Arrays},
		{"no logits", "key", a.Metadata[tallyKey], nil},
		{"logits in one row", "key", `{"key":"key","n":2}`, logits(6)},
		{"other outputs", "key", `{"key":"key","n":3}`, logits(3, 2)},
		{"more right than there are", "key", `{"key":"key","n":2,"right":3}`, logits(2, 3)},
	} {
		b := &safetensors.Archive{Arrays: tc.arrays, Metadata: map[string]string{tallyKey: tc.tally}}
		if r := Restored(b, tc.key, outputs); r != nil {
			t.Errorf("%s: %+v", tc.name, r)
		}
	}
}
