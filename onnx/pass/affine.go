package pass

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// affine is factor*x + addend. Each has one element for all channels or one per channel.
type affine struct{ factor, addend []float64 }

func identityAffine() affine { return affine{[]float64{1}, []float64{0}} }

// affineOf matches an Add, Sub, Mul or Div of a constant, which differs along one axis at most, with the value that it
// changes. That has the given rank and size of the axis.
func affineOf(n *onnx.Node, rank, axis, channels int) (*onnx.Value, affine, bool) {
	none := affine{}
	if n == nil || n.Domain() != "" || len(n.Inputs()) != 2 || n.Input(0) == nil || n.Input(1) == nil || !single(n) {
		return nil, none, false
	}
	x, v := n.Input(0), n.Input(1)
	swapped := x.Const() != nil
	if swapped {
		x, v = v, x
	}
	if x.Const() != nil || v.Const() == nil {
		return nil, none, false
	}
	c := alongAxis(v.Const(), rank, axis, channels)
	if c == nil {
		return nil, none, false
	}
	a := identityAffine()
	switch n.Op() {
	case "Add":
		a.addend = c
	case "Mul":
		a.factor = c
	case "Sub":
		if a.addend = c; swapped {
			a.factor = []float64{-1}
		} else {
			a.addend = mapped64(c, func(x float64) float64 { return -x })
		}
	case "Div":
		if swapped {
			return nil, none, false
		}
		a.factor = mapped64(c, func(x float64) float64 { return 1 / x })
	default:
		return nil, none, false
	}
	return x, a, finite64(a.factor) && finite64(a.addend)
}

// alongAxis is a float constant that broadcasts to a rank and differs along one axis at most: one element, or one per
// channel. It is nil for others, and for those that make the result larger.
func alongAxis(t *tensor.Tensor, rank, axis, channels int) []float64 {
	if t.DType != tensor.Float32 || len(t.Shape) > rank {
		return nil
	}
	for i, d := range t.Shape {
		if d != 1 && (rank-len(t.Shape)+i != axis || d != channels) {
			return nil
		}
	}
	f, err := tensor.Floats(t)
	if err != nil || len(f) == 0 {
		return nil
	}
	out := make([]float64, len(f))
	for i, x := range f {
		out[i] = float64(x)
	}
	return out
}

// then is b behind a.
func (a affine) then(b affine) affine {
	return affine{
		factor: both(a.factor, b.factor, times),
		addend: both(both(a.addend, b.factor, times), b.addend, plus),
	}
}

func times(x, y float64) float64 { return x * y }
func plus(x, y float64) float64  { return x + y }

// scales and shifts report whether there is a factor besides 1 and an addend besides 0.
func (a affine) scales() bool { return !all64(a.factor, 1) }
func (a affine) shifts() bool { return !all64(a.addend, 0) }

// uniform reports whether all channels have the same factor.
func (a affine) uniform() bool { return all64(a.factor, a.factor[0]) }

// channelAt is the element of a channel.
func channelAt(v []float64, channel int) float64 {
	if len(v) == 1 {
		return v[0]
	}
	return v[channel]
}

// both combines two lists, of which either may have one element for all channels.
func both(a, b []float64, f func(x, y float64) float64) []float64 {
	out := make([]float64, max(len(a), len(b)))
	for i := range out {
		out[i] = f(channelAt(a, i), channelAt(b, i))
	}
	return out
}

func mapped64(v []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = f(x)
	}
	return out
}

func all64(v []float64, want float64) bool {
	for _, x := range v {
		if x != want {
			return false
		}
	}
	return true
}

// finite64 reports whether float32 holds all numbers.
func finite64(v []float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.Abs(x) > math.MaxFloat32 {
			return false
		}
	}
	return true
}

// narrow64 rounds to float32, one element per channel.
func narrow64(v []float64, channels int) []float32 {
	out := make([]float32, channels)
	for c := range out {
		out[c] = float32(channelAt(v, c))
	}
	return out
}

// onlyReader is the node that alone reads a value which leaves the graph nowhere else; nil where there is none.
func onlyReader(v *onnx.Value) *onnx.Node {
	if v == nil || v.IsOutput() || len(v.Uses()) != 1 || v.Uses()[0].Index < 0 {
		return nil
	}
	return v.Uses()[0].Node
}

// affineBehind follows what is added to and multiplied with a value alone, to the last of the nodes.
func affineBehind(v *onnx.Value, rank, axis, channels int) (affine, []*onnx.Node) {
	sum, nodes := identityAffine(), []*onnx.Node(nil)
	for n := onlyReader(v); n != nil; n = onlyReader(v) {
		_, a, ok := affineOf(n, rank, axis, channels)
		if !ok {
			break
		}
		next := sum.then(a)
		if !finite64(next.factor) || !finite64(next.addend) {
			break
		}
		sum, nodes, v = next, append(nodes, n), n.Output(0)
	}
	return sum, nodes
}

// affineBefore is affineBehind in front of a value: the nodes stand in the order of the graph, and the value that
// enters them comes with it. Others may read that one. What belongs to an operator that runtimes find in pieces stays
// there, and what adds something if factors alone are asked for.
func affineBefore(v *onnx.Value, rank, axis, channels int, factors bool) (*onnx.Value, affine, []*onnx.Node) {
	sum, nodes := identityAffine(), []*onnx.Node(nil)
	for onlyReader(v) != nil {
		x, a, ok := affineOf(v.Producer(), rank, axis, channels)
		if !ok || endsActivation(x.Producer()) || factors && a.shifts() {
			break
		}
		next := a.then(sum)
		if !finite64(next.factor) || !finite64(next.addend) {
			break
		}
		sum, nodes, v = next, append([]*onnx.Node{v.Producer()}, nodes...), x
	}
	if endsNorm(v.Producer()) {
		return v, identityAffine(), nil
	}
	return v, sum, nodes
}

// endsActivation reports whether a node is x * (1 + erf) or x * (1 + tanh), which a factor of 0.5 makes a GELU.
func endsActivation(n *onnx.Node) bool {
	if n == nil || n.Op() != "Mul" {
		return false
	}
	for _, v := range n.Inputs() {
		if v == nil || v.Producer() == nil || v.Producer().Op() != "Add" {
			continue
		}
		for _, x := range v.Producer().Inputs() {
			if x != nil && x.Producer() != nil && (x.Producer().Op() == "Erf" || x.Producer().Op() == "Tanh") {
				return true
			}
		}
	}
	return false
}

// endsNorm reports whether a node divides by what it computed, as a LayerNorm in pieces does in front of gamma and
// beta.
func endsNorm(n *onnx.Node) bool {
	return n != nil && n.Op() == "Div" && n.Input(1) != nil && n.Input(1).Const() == nil
}
