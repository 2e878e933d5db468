package quantize

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// layers finds nodes of the kinds in readers with constant weights, in document order.
func (b *planner) layers() error {
	for _, n := range b.graph.Nodes() {
		read := readers[n.Traits().Kind]
		if read == nil {
			continue
		}
		if b.excluded[n] {
			b.reason[n] = Excluded
			continue
		}
		l := Layer{Node: n.Name(), Op: n.Op(), Kind: n.Traits().Kind, Candidates: b.weightBits}
		if why := read(n, &l); why != "" {
			b.reason[n] = why
			continue
		}
		if err := b.complete(n, &l); err != nil {
			return err
		}
		b.layer[n] = len(b.plan.Layers)
		b.plan.Layers = append(b.plan.Layers, l)
	}
	return nil
}

// readers read nodes that may be layers, by kind. What they return says why a node is none, "" if it is.
var readers = map[op.Kind]func(*onnx.Node, *Layer) string{op.Conv: convLayer, op.Gemm: gemmLayer, op.MatMul: matMulLayer}

// IsLayerOp reports whether an operator is one of layers; a node of it is a layer if its weights are constant.
func IsLayerOp(name string) bool { return readers[op.Of("", name).Kind] != nil }

// LayerNodes lists the nodes that would be layers of a plan, in document order. It needs no shapes, so that a graph can
// be looked at which nobody could plan. It is an error if a pattern of exclude fits no node.
func LayerNodes(g *onnx.Graph, exclude []string) ([]*onnx.Node, error) {
	b := &planner{graph: g, options: PlanOptions{Exclude: exclude}}
	if err := b.exclude(); err != nil {
		return nil, err
	}
	var list []*onnx.Node
	for _, n := range g.Nodes() {
		kind := n.Traits().Kind
		if read := readers[kind]; read != nil && !b.excluded[n] && read(n, &Layer{Kind: kind}) == "" {
			list = append(list, n)
		}
	}
	return list, nil
}

// constant returns the tensor of input i if it is a float32 initializer.
func constant(n *onnx.Node, i int) (*onnx.Value, *tensor.Tensor) {
	v := n.Input(i)
	if v == nil || v.Const() == nil || v.Const().DType != tensor.Float32 {
		return nil, nil
	}
	return v, v.Const()
}

// weights fills in what all layers share, the axes of the weights among it; it returns why the node is no layer, or "".
func weights(n *onnx.Node, l *Layer, rank int) string {
	x := n.Input(0)
	w, t := constant(n, 1)
	switch {
	case x == nil || n.Output(0) == nil:
		return "an operand or its result is missing"
	case x.Const() != nil:
		return "its first operand is constant"
	case t == nil:
		return "no constant float32 weights"
	case len(t.Shape) != rank:
		return fmt.Sprintf("weights have rank %d, not %d", len(t.Shape), rank)
	}
	l.Input, l.Weight = x.Name(), w.Name()
	l.Shape, l.Params = t.Shape.Clone(), int64(t.Shape.Numel())
	l.Axis, l.InputAxis = WeightAxes(n)
	l.OutChannels = l.Shape[l.Axis]
	return ""
}

func bias(n *onnx.Node, l *Layer) string {
	if n.Input(2) == nil {
		return ""
	}
	v, t := constant(n, 2)
	if t == nil || t.Shape.Numel() != l.OutChannels {
		return "its bias is not one constant per output channel"
	}
	l.Bias = v.Name()
	return ""
}

// convLayer reads Conv: weights K x C/groups x R x S.
func convLayer(n *onnx.Node, l *Layer) string {
	if why := weights(n, l, 4); why != "" {
		return why
	}
	l.Groups = int(n.Int("group", 1))
	l.Depthwise = l.Groups > 1 && l.Shape[l.InputAxis] == 1
	return bias(n, l)
}

// gemmLayer reads Gemm without transposed or scaled operands: weights K x C (transB) or C x K.
func gemmLayer(n *onnx.Node, l *Layer) string {
	if n.Int("transA", 0) != 0 || n.Float("alpha", 1) != 1 || (n.Input(2) != nil && n.Float("beta", 1) != 1) {
		return "transA, alpha or beta is set"
	}
	if why := weights(n, l, 2); why != "" {
		return why
	}
	return bias(n, l)
}

// matMulLayer reads MatMul: weights C x K.
func matMulLayer(n *onnx.Node, l *Layer) string {
	return weights(n, l, 2)
}

// complete adds what needs the neighbourhood: BatchNormalization, output shape, MACs, candidates.
func (b *planner) complete(n *onnx.Node, l *Layer) error {
	out := n.Outputs()[0]
	shape, known := out.Shape()
	if !known {
		return fmt.Errorf("layer %s: shape of %s is unknown", n.Name(), out.Name())
	}
	positions, ok := perSample(shape)
	if !ok {
		return fmt.Errorf("layer %s: shape %s of %s has unknown dimensions besides the batch", n.Name(), shape, out.Name())
	}
	// Every weight is used once per output position: spatial for Conv, rows per sample for the others.
	if positions /= int64(max(l.OutChannels, 1)); positions > maxMACs/max(l.Params, 1) {
		return fmt.Errorf("layer %s: output of shape %s takes more than %d multiplications per sample", n.Name(), shape, int64(maxMACs))
	}
	l.MACs = l.Params * positions
	l.OutputShape = shape.Clone()
	if norm := normAfter(n, shape); norm != nil {
		b.norm[norm] = true
		l.Norm, out = norm.Name(), norm.Outputs()[0]
	}
	l.Output = out.Name()
	if l.Depthwise {
		l.Candidates = depthwise(l.Candidates)
	}
	return nil
}

// depthwise removes 2 bits, which RFQuant (arXiv 2401.01543) never gives depthwise layers. If nothing is left, 3 stays.
func depthwise(bits []int) []int {
	left := keep(bits, func(c int) bool { return c > minBits })
	if len(left) == 0 {
		return []int{minBits + 1}
	}
	return left
}

// normAfter returns the BatchNormalization that alone reads a layer's output, if its channels are the layer's.
func normAfter(n *onnx.Node, shape tensor.Shape) *onnx.Node {
	out := n.Outputs()[0]
	uses := out.Uses()
	if out.IsOutput() || len(uses) != 1 || uses[0].Index != 0 {
		return nil
	}
	norm := uses[0].Node
	if norm.Op() != "BatchNormalization" || norm.Output(0) == nil || norm.Int("training_mode", 0) != 0 || !n.Traits().Kind.Spatial() && len(shape) != 2 {
		return nil
	}
	for i := 1; i < 5; i++ {
		if _, t := constant(norm, i); t == nil {
			return nil
		}
	}
	return norm
}

// perSample counts elements without the leading batch; false where another dimension is unknown.
func perSample(s tensor.Shape) (int64, bool) {
	if len(s) == 0 {
		return 1, true
	}
	n := s[1:].Numel()
	return int64(n), n >= 0
}
