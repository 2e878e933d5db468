package safetensors

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/tensor"
)

// TestSeal: no bit of a sealed archive can flip, and no end be cut off, without an error, or an array of codes that
// nobody has asked for. What was there stays under its other name.
func TestSeal(t *testing.T) {
	dir := t.TempDir()
	path, before := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	a := &Archive{
		Arrays:   map[string]Array{"weight.é": {Shape: tensor.Shape{3}, Data: []float32{1, 2, 3}}, "x": {Shape: tensor.Shape{0}, Data: []float32{}}},
		Metadata: map[string]string{"step": "7"},
	}
	for range 2 {
		if err := a.SaveSealed(path, before); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{path, before} {
		got, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a, got); d != "" {
			t.Error(d)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(whole) {
		bad := bytes.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		got, err := Read(bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			continue
		}
		odd := false
		for _, array := range got.Arrays {
			odd = odd || array.Codes != nil
		}
		if !odd {
			t.Errorf("bit %d: %+v", bit, got)
		}
	}
	for n := range whole {
		if got, err := Read(bytes.NewReader(whole[:n]), int64(n)); err == nil {
			t.Errorf("%d bytes: %+v", n, got)
		}
	}
	if err := (&Archive{Arrays: map[string]Array{"~~": {}}}).SaveSealed(path, before); err == nil {
		t.Error("an array behind the seal")
	}
}
