package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// SinkLayout moves Transposes from channels first to channels last, which exporters of TensorFlow write behind every
// convolution, down past operators that work element by element, until they meet the one in front of the next
// convolution and both vanish. Convolution, norm and activation are neighbours then, as fusion wants them.
type SinkLayout struct{ always }

// Name names the pass.
func (SinkLayout) Name() string { return "layout" }

// toLast is the order of dimensions that makes channels the last of four.
var toLast = []int64{0, 2, 3, 1}

// Apply moves every such Transpose by one operator at least.
func (SinkLayout) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		step := sinkStep(n)
		if step == nil {
			continue
		}
		if err := step(m.Graph, n); err != nil {
			return modified, fmt.Errorf("layout of %q: %w", n.Name(), err)
		}
		modified = true
	}
	return modified, nil
}

// channelsLast is what a value is the channels-last form of, nil if it is none.
func channelsLast(v *onnx.Value) *onnx.Value {
	if v == nil || v.Producer() == nil || v.Producer().Op() != "Transpose" || !slices.Equal(v.Producer().Ints("perm"), toLast) {
		return nil
	}
	return v.Producer().Input(0)
}

// sinkStep is how a Transpose in front of a node is moved, nil where it stays.
func sinkStep(n *onnx.Node) func(*onnx.Graph, *onnx.Node) error {
	if n.Domain() != "" || n.Output(0) == nil || len(n.Outputs()) != 1 || channelsLast(n.Input(0)) == nil && channelsLast(n.Input(1)) == nil {
		return nil
	}
	switch {
	case n.Op() == "Transpose":
		if slices.Equal(n.Ints("perm"), []int64{0, 3, 1, 2}) {
			return dropInverse
		}
	case n.Traits().Has(op.Pointwise):
		for i, v := range n.Inputs() {
			scalarBound := n.Op() == "Clip" && i > 0
			if v != nil && !scalarBound && channelsLast(v) == nil && (v.Const() == nil || len(v.Const().Shape) > 4) {
				return nil
			}
		}
		return sinkElementwise
	case n.Op() == "ReduceMean":
		axes := axesOf(n, 1)
		if slices.Equal(axes, []int64{1, 2}) && n.Int("keepdims", 1) == 0 {
			return sinkMean
		}
	}
	return nil
}

// dropInverse takes a Transpose back to channels first out, and with it what it undoes.
func dropInverse(g *onnx.Graph, n *onnx.Node) error {
	x := channelsLast(n.Input(0))
	if n.Output(0).IsOutput() && (x.IsInput() || x.IsOutput()) {
		return nil
	}
	if n.Output(0).IsOutput() {
		if err := g.ReplaceOutput(n.Output(0), x); err != nil {
			return err
		}
	}
	if err := g.ReplaceUses(n.Output(0), x); err != nil {
		return err
	}
	return g.Remove(n)
}

// sinkElementwise computes on channels first and transposes the result.
func sinkElementwise(g *onnx.Graph, n *onnx.Node) error {
	in := slices.Clone(n.Inputs())
	for i, v := range in {
		switch x := channelsLast(v); {
		case v == nil || n.Op() == "Clip" && i > 0:
		case x != nil:
			in[i] = x
		case len(v.Const().Shape) > 0:
			c, err := g.AddInitializer(g.FreshName(v.Name()+"/first"), firstChannels(v.Const()))
			if err != nil {
				return err
			}
			in[i] = c
		}
	}
	moved, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/first"), Op: n.Op(), Inputs: in, Outputs: []string{g.FreshName(n.Output(0).Name() + "/first")}, Attrs: n.Attrs(),
	}, n)
	if err != nil {
		return err
	}
	moved.Output(0).SetType(n.Output(0).DType(), channelsFirstShape(n.Output(0)))
	t, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/last"), Op: "Transpose", Inputs: []*onnx.Value{moved.Output(0)},
		Outputs: []string{g.FreshName(n.Output(0).Name() + "/last")}, Attrs: []onnx.Attr{onnx.IntsAttr("perm", toLast)},
	}, n)
	if err != nil {
		return err
	}
	shape, _ := n.Output(0).Shape()
	t.Output(0).SetType(n.Output(0).DType(), shape)
	return takeOver(g, n, t.Output(0))
}

func channelsFirstShape(v *onnx.Value) tensor.Shape {
	s, known := v.Shape()
	if !known || len(s) != 4 {
		return nil
	}
	return tensor.Shape{s[0], s[3], s[1], s[2]}
}

// firstChannels is a constant that broadcasts to channels last as one that broadcasts to channels first.
func firstChannels(t *tensor.Tensor) *tensor.Tensor {
	s := tensor.Shape{1, 1, 1, 1}
	copy(s[4-len(t.Shape):], t.Shape)
	out := &tensor.Tensor{DType: t.DType, Shape: tensor.Shape{s[0], s[3], s[1], s[2]}, Raw: make([]byte, 0, len(t.Raw))}
	size := len(t.Raw) / max(s.Numel(), 1)
	for n := range s[0] {
		for c := range s[3] {
			for p := range s[1] * s[2] {
				at := ((n*s[1]*s[2]+p)*s[3] + c) * size
				out.Raw = append(out.Raw, t.Raw[at:at+size]...)
			}
		}
	}
	return out
}

// sinkMean averages over the plane of channels first, which leaves the same rows.
func sinkMean(g *onnx.Graph, n *onnx.Node) error {
	spec := onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/first"), Op: n.Op(), Inputs: []*onnx.Value{channelsLast(n.Input(0))},
		Outputs: []string{g.FreshName(n.Output(0).Name() + "/first")}, Attrs: []onnx.Attr{onnx.IntAttr("keepdims", 0)},
	}
	if n.Input(1) == nil {
		spec.Attrs = append(spec.Attrs, onnx.IntsAttr("axes", []int64{2, 3}))
	} else {
		axes, err := g.AddInitializer(g.FreshName(n.Input(1).Name()+"/first"), tensor.From(tensor.Shape{2}, []int64{2, 3}))
		if err != nil {
			return err
		}
		spec.Inputs = append(spec.Inputs, axes)
	}
	moved, err := g.AddNode(spec, n)
	if err != nil {
		return err
	}
	shape, _ := n.Output(0).Shape()
	moved.Output(0).SetType(n.Output(0).DType(), shape)
	return takeOver(g, n, moved.Output(0))
}
