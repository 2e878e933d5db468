//go:build unix

package main

import (
	"bytes"
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// compare loads a model and another one that was saved from it, and compares the weights of every layer.
func compare(model, saved string) error {
	a, err := onnx.Load(model)
	if err != nil {
		return err
	}
	b, err := onnx.Load(saved)
	if err != nil {
		return err
	}
	layers := 0
	for _, n := range a.Graph.Nodes() {
		if n.Op() != "Conv" && n.Op() != "Gemm" {
			continue
		}
		layers++
		other := b.Graph.Node(n.Name())
		if other == nil || other.Op() != n.Op() || len(other.Inputs()) < 2 || other.Input(1).Const() == nil {
			return fmt.Errorf("%s has no layer %s with constant weights", saved, n.Name())
		}
		x, y := n.Input(1).Const(), other.Input(1).Const()
		if x.Shape.String() != y.Shape.String() || !bytes.Equal(x.Raw, y.Raw) {
			return fmt.Errorf("the weights of layer %s in %s are not those of %s", n.Name(), saved, model)
		}
	}
	if layers == 0 {
		return fmt.Errorf("%s has no layers", model)
	}
	return nil
}
