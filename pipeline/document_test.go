package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

// TestOutside: a model whose weights lie in a file of the workspace runs as one in memory, can be looked at as the runtime
// rewrites it, counts with its weights, and leaves nothing behind.
func TestOutside(t *testing.T) {
	if err := ort.Available(); err != nil {
		t.Fatal(err)
	}
	data, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	j := &job{w: newWorkspace(filepath.Join(t.TempDir(), "m.mpqc"))}
	inside, _, err := j.document(m)
	if err != nil || inside.folder != "" {
		t.Fatalf("folder %q, %v", inside.folder, err)
	}
	outside, remove, err := j.outside(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(outside.data) > len(inside.data)/4 {
		t.Errorf("%d bytes of %d are in memory", len(outside.data), len(inside.data))
	}
	x := gaussian(28 * 28)
	var logits [2][]float32
	for i, d := range []document{inside, outside} {
		s, err := d.open(ort.Options{Optimize: true})
		if err != nil {
			t.Fatal(err)
		}
		if logits[i], _, err = s.RunFloat(t.Context(), x, tensor.Shape{1, 1, 28, 28}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if seen, err := j.optimized(d); err != nil || len(seen.Graph.Nodes()) == 0 {
			t.Errorf("as rewritten: %v", err)
		}
	}
	if !slices.Equal(logits[0], logits[1]) {
		t.Errorf("%v in memory, %v from a file", logits[0], logits[1])
	}
	f := File{Path: filepath.Join(outside.folder, "model.onnx")}
	if err := f.describe(t.Context()); err != nil || f.Bytes <= int64(len(inside.data))*9/10 {
		t.Errorf("%d bytes, %v", f.Bytes, err)
	}
	before := f.SHA256
	weights, err := os.ReadFile(f.Path + onnx.DataSuffix)
	if err != nil {
		t.Fatal(err)
	}
	weights[len(weights)-1] ^= 1
	if err := os.WriteFile(f.Path+onnx.DataSuffix, weights, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.describe(t.Context()); err != nil || f.SHA256 == before {
		t.Errorf("other weights, the same hash: %v", err)
	}
	remove()
	if left, err := os.ReadDir(j.w.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}
