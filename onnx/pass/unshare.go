package pass

import (
	"slices"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// Unshare gives every Conv, ConvTranspose, Gemm, MatMul and BatchNormalization initializers of its own, since later
// passes and training change them per layer. The first reader keeps the original where all readers are layers. One that
// is an output of the graph is nobody's.
type Unshare struct{ always }

// Name names the pass.
func (Unshare) Name() string { return "shared weights" }

// Apply copies initializers that have more than one reader, where the reader is a layer.
func (Unshare) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, v := range m.Graph.Initializers() {
		uses := v.Uses()
		if v.IsOutput() && len(uses) > 0 && v.Const() != nil {
			c, err := m.Graph.AddInitializer(m.Graph.FreshName(v.Name()), v.Const())
			if err == nil {
				err = m.Graph.ReplaceUses(v, c)
			}
			if err != nil {
				return modified, err
			}
			modified = true
			continue
		}
		layers := !slices.ContainsFunc(uses, func(u onnx.Use) bool { return !ownsInput(u) })
		for i, u := range uses {
			if i == 0 && layers || !ownsInput(u) || v.Const() == nil {
				continue
			}
			c, err := m.Graph.AddInitializer(m.Graph.FreshName(v.Name()), v.Const())
			if err != nil {
				return modified, err
			}
			u.Node.SetInput(u.Index, c)
			modified = true
		}
	}
	return modified, nil
}

func ownsInput(u onnx.Use) bool {
	layer := u.Node.Traits().Kind != op.NoLayer || u.Node.Op() == "BatchNormalization"
	return layer && u.Index > 0
}
