package session

import (
	"os"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestOutside: a model whose weights lie in a file of the workspace runs as one in memory, can be looked at as the
// runtime rewrites it, and leaves nothing behind.
func TestOutside(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	m := sample.Example(t)
	dir := t.TempDir()
	inside, _, err := Of(m, dir)
	if err != nil || inside.folder != "" {
		t.Fatalf("folder %q, %v", inside.folder, err)
	}
	outside, remove, err := outside(m, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(outside.data) > len(inside.data)/4 {
		t.Errorf("%d bytes of %d are in memory", len(outside.data), len(inside.data))
	}
	x := make([]float32, 28*28)
	for i := range x {
		x[i] = float32(i%29)/14 - 1
	}
	var logits [2][]float32
	for i, d := range []Document{inside, outside} {
		s, err := d.Open(ort.Options{Optimize: true})
		if err != nil {
			t.Fatal(err)
		}
		if logits[i], _, err = s.RunFloat(t.Context(), x, tensor.Shape{1, 1, 28, 28}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if seen, err := d.optimized(dir); err != nil || len(seen.Graph.Nodes()) == 0 {
			t.Errorf("as rewritten: %v", err)
		}
	}
	if !slices.Equal(logits[0], logits[1]) {
		t.Errorf("%v in memory, %v from a file", logits[0], logits[1])
	}
	remove()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}
