package pass

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// FuseBias turns an Add of one constant per output channel behind a Conv without bias into the Conv's bias, and MatMul
// of a matrix by constant weights with such an Add into a Gemm. Layers then hold their bias, which is quantized along.
type FuseBias struct{ always }

// Name names the pass.
func (FuseBias) Name() string { return "biases" }

// Apply fuses every match.
func (FuseBias) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, add := range m.Graph.Nodes() {
		layer, b := biasOf(add)
		if layer == nil {
			continue
		}
		if err := fuseBias(m.Graph, layer, add, b); err != nil {
			return modified, err
		}
		modified = true
	}
	return modified, nil
}

// biasOf matches an Add with the layer that it alone follows and the constant as a vector.
func biasOf(add *onnx.Node) (*onnx.Node, *tensor.Tensor) {
	if add.Op() != "Add" || add.Domain() != "" || len(add.Inputs()) != 2 {
		return nil, nil
	}
	x, c := add.Input(0), add.Input(1)
	if x == nil || c == nil || add.Output(0) == nil {
		return nil, nil
	}
	if x.Const() != nil {
		x, c = c, x
	}
	layer, t := x.Producer(), c.Const()
	if t == nil || t.DType != tensor.Float32 || layer == nil || layer.Domain() != "" || len(x.Uses()) != 1 || x.IsOutput() {
		return nil, nil
	}
	w := layer.Input(1)
	if w == nil || w.Const() == nil || len(w.Const().Shape) < 2 || layer.Input(0) == nil {
		return nil, nil
	}
	shape, axis := w.Const().Shape, 1
	var rank int
	switch layer.Op() {
	case "Conv":
		rank, axis = len(shape), 0
		if layer.Input(2) != nil {
			return nil, nil
		}
	case "MatMul":
		s, known := layer.Input(0).Shape()
		if !known || len(s) != 2 || len(shape) != 2 {
			return nil, nil
		}
		rank = 2
	default:
		return nil, nil
	}
	return perChannel(layer, t, rank, shape[axis])
}

// perChannel checks that a constant differs along the channel axis (1) of the layer's output only.
func perChannel(layer *onnx.Node, t *tensor.Tensor, rank, channels int) (*onnx.Node, *tensor.Tensor) {
	if len(t.Shape) > rank || t.Shape.Numel() != channels || t.Shape.FromEnd(rank-1) != channels {
		return nil, nil
	}
	v, err := tensor.New(t.DType, tensor.Shape{channels}, t.Raw)
	if err != nil {
		return nil, nil
	}
	return layer, v
}

// fuseBias moves the Add into the layer, whose result takes the place of the Add's.
func fuseBias(g *onnx.Graph, layer, add *onnx.Node, t *tensor.Tensor) error {
	b, err := g.AddInitializer(g.FreshName(layer.Name()+"/bias"), t)
	if err != nil {
		return err
	}
	y, sum := layer.Output(0), add.Output(0)
	if layer.Op() == "MatMul" {
		// The Add's place and name: what reads the sum reads the Gemm's output instead.
		gemm, err := g.AddNode(onnx.NodeSpec{
			Name: g.FreshName(layer.Name() + "/gemm"), Op: "Gemm",
			Inputs: []*onnx.Value{layer.Input(0), layer.Input(1), b}, Outputs: []string{g.FreshName(y.Name() + "/biased")},
		}, add)
		if err != nil {
			return err
		}
		y = gemm.Output(0)
		if s, known := sum.Shape(); known {
			y.SetType(sum.DType(), s)
		}
	} else {
		layer.SetInput(2, b)
	}
	if sum.IsOutput() {
		if err := g.ReplaceOutput(sum, y); err != nil {
			return err
		}
	}
	if err := g.ReplaceUses(sum, y); err != nil {
		return err
	}
	if err := g.Remove(add); err != nil {
		return err
	}
	if layer.Op() == "MatMul" {
		return g.Remove(layer)
	}
	return nil
}
