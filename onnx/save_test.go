package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

// TestSaveOutside writes the sample in two files, reads them, from memory that is mapped and not, and compares every
// tensor with the original.
func TestSaveOutside(t *testing.T) {
	m := sample(t)
	big := make([]float32, mapFrom/4+5) // enough for the file to be mapped
	for i := range 1000 {
		big[i*4001] = float32(i)
	}
	for name, data := range map[string][]float32{"big": big, "small": {1, 2, 3}, "kilobyte": big[:300]} {
		if _, err := m.Graph.AddInitializer(name, tensor.From(tensor.Shape{len(data)}, data)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	for range 2 { // the second time over the files that the model was read from
		if err := m.SaveOutside(path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() > 10_000 {
			t.Fatalf("the document has %d bytes, %v", info.Size(), err)
		}
		again, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if x := again.External(); len(x) != 1 || x[0].Path != "m.onnx.data" || x[0].Tensors != 2 {
			t.Errorf("external files %+v", x)
		}
		for _, v := range m.Graph.Initializers() {
			w := again.Graph.Value(v.Name())
			if w == nil || w.Const() == nil || !bytes.Equal(v.Const().Raw, w.Const().Raw) || v.Const().Shape.String() != w.Const().Shape.String() {
				t.Errorf("initializer %s came back another", v.Name())
			}
		}
		one, err := again.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		assertSameMessage(t, whole, one)
		m = again
	}
}

// TestCloneShares: a clone shares the bytes of initializers, and a new constant in one leaves the other as it was.
func TestCloneShares(t *testing.T) {
	m := sample(t)
	c := m.Clone()
	was, v := m.Graph.Initializers()[0], c.Graph.Initializers()[0]
	before := was.Const()
	if &before.Raw[0] != &v.Const().Raw[0] {
		t.Error("the bytes were copied")
	}
	zeros, err := tensor.New(before.DType, before.Shape, make([]byte, len(before.Raw)))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.SetConst(zeros); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(was.Const().Raw, v.Const().Raw) {
		t.Error("the constant of the original changed with that of the clone")
	}
}
