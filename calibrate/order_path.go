package calibrate

import (
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// carrier is a constant with an axis that counts channels.
type carrier struct {
	name string
	axis int
}

// carriersOf returns the constants that carry the input channels of layer l, back to the layer that computes them. It
// is nil if anything else depends on the order of the channels.
func carriersOf(m *onnx.Model, plan *quantize.Plan, l *quantize.Layer) []carrier {
	reader := m.Graph.Node(l.Node)
	if reader == nil || !own(m.Graph.Value(l.Weight)) {
		return nil
	}
	var list []carrier
	for v := reader.Input(0); unshared(v); {
		n := v.Producer()
		maker := makerOf(plan, n)
		// A pool does the same to every channel where the second axis counts them.
		same := n.Traits().Has(op.Alike) || n.Traits().Has(op.Pool) && l.Kind.Spatial()
		switch {
		case maker == nil && same:
			v = n.Input(0)
		case maker == nil:
			return nil
		default:
			part := carriersIn(m, maker)
			if part == nil || maker.OutChannels != l.Shape[l.InputAxis] || maker.Kind.Spatial() != l.Kind.Spatial() {
				return nil // channels of a product lie on another axis than those of a Conv
			}
			if list = append(list, part...); !maker.Depthwise {
				return list
			}
			if maker.Groups != maker.OutChannels { // several output channels of one input channel stay side by side
				return nil
			}
			v = m.Graph.Node(maker.Node).Input(0)
		}
	}
	return nil
}

// unshared reports whether one node computes v and one node alone reads it, as its first input.
func unshared(v *onnx.Value) bool {
	if v == nil || v.Producer() == nil || len(v.Producer().Outputs()) != 1 || v.IsOutput() {
		return false
	}
	uses := v.Uses()
	return len(uses) == 1 && uses[0].Index == 0
}

// makerOf returns the layer whose result node n computes, as its BatchNorm or, without one, as the layer itself.
func makerOf(plan *quantize.Plan, n *onnx.Node) *quantize.Layer {
	for i := range plan.Layers {
		if l := &plan.Layers[i]; l.Norm == n.Name() || l.Norm == "" && l.Node == n.Name() {
			return l
		}
	}
	return nil
}

// carriersIn returns the constants of a layer and its norm that count output channels. It is nil if other nodes read
// one.
func carriersIn(m *onnx.Model, l *quantize.Layer) []carrier {
	node := m.Graph.Node(l.Node)
	if node == nil || l.Groups > 1 && !l.Depthwise || !own(m.Graph.Value(l.Weight)) {
		return nil
	}
	list := []carrier{{l.Weight, l.Axis}}
	constants := node.Inputs()[min(2, len(node.Inputs())):] // of a Conv or Gemm: a bias
	if l.Norm != "" {
		bn := m.Graph.Node(l.Norm)
		if bn == nil || !unshared(node.Output(0)) {
			return nil
		}
		constants = append(constants, bn.Inputs()[1:]...)
	}
	for _, v := range constants {
		if v == nil {
			continue // a bias that is left out
		}
		if !own(v) || v.Const() == nil || len(v.Const().Shape) != 1 || v.Const().Shape[0] != l.OutChannels {
			return nil
		}
		list = append(list, carrier{v.Name(), 0})
	}
	return list
}
