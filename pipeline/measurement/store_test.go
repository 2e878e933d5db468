package measurement

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/quantize"
)

// TestSaveLoad: what was kept comes back under its key alone; other files, and results that are too large, are as if there were none.
func TestSaveLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores.safetensors")
	if r := Load(path, "key"); r != nil {
		t.Errorf("from no file: %+v", r)
	}
	kept := &Result{Tally: metric.Tally{N: 2, Right: 1, Right5: 2, Loss: 0.5, Labels: true}, Logits: []float32{1, 2, 3, 4, 5, 6}}
	if err := kept.Save(path, "key"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(kept, Load(path, "key"), cmpopts.IgnoreUnexported(Result{}, metric.Tally{})); d != "" {
		t.Error(d)
	}
	if r := Load(path, "other"); r != nil {
		t.Errorf("under another key: %+v", r)
	}
	large := &Result{Tally: metric.Tally{N: 1}, Logits: make([]float32, maxKeptLogits/4+1)}
	if err := large.Save(path, "large"); err != nil || Load(path, "large") != nil || Load(path, "key") == nil {
		t.Errorf("too large: %v, %t, %t", err, Load(path, "large") != nil, Load(path, "key") != nil)
	}
	flat := quantize.Archive{
		Arrays: map[string]quantize.Array{"logits": {Shape: tensor.Shape{6}, Data: kept.Logits}}, Metadata: map[string]string{tallyKey: `{"key":"key","n":2}`},
	}
	if err := flat.Save(path); err != nil || Load(path, "key") != nil {
		t.Errorf("logits in one row: %v", err)
	}
	if err := os.WriteFile(path, []byte("no archive"), 0o600); err != nil || Load(path, "key") != nil {
		t.Errorf("no archive: %v", err)
	}
}
