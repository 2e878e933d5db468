package fakequant

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/quantize"
)

// Options of Rewrite.
type Options struct {
	// BiasRounding rounds biases to int32 at the step of the accumulator, as exported files hold them.
	BiasRounding bool
	// GradScale multiplies the gradient of a step size by 1/sqrt(elements*p), as LSQ proposes.
	GradScale bool
	// NormMomentum is the share of a batch in the running statistics, PyTorch's momentum; 0 means 0.1.
	NormMomentum float32
	// FloatProducts makes layers multiply dequantized float32 values instead of codes. The result is the same up to
	// rounding; it takes several times as long.
	FloatProducts bool
}

// Rewrite inserts the quantizers of a plan into the engine graph g of its model, in place:
//   - a quantizer on every point, which everything downstream reads;
//   - on a residual stream an 8-bit quantizer, and one more in front of the layers that read it;
//   - a quantizer on the weights of each layer;
//   - a switchable norm in place of each layer's BatchNorm.
//
// Layers then multiply codes. Everything outside the layers of the plan is frozen. Weight step sizes are set from the
// weights, activation step sizes by the first batch that reaches a width; Load overwrites both. It is an error if the
// plan does not fit the graph.
func Rewrite(g *engine.Graph, plan *quantize.Plan, o Options) (*Network, error) {
	if o.NormMomentum == 0 {
		o.NormMomentum = 0.1
	}
	w := &rewriter{
		net:    &Network{Graph: g, Plan: plan, options: o, layers: make([]layer, len(plan.Layers)), points: make([]point, len(plan.Points))},
		nodes:  map[string]*engine.Node{},
		values: map[string]*engine.Value{},
		behind: map[*engine.Value][]*engine.Node{},
		before: map[*engine.Node][]*engine.Node{},
		reads:  map[*engine.Value]*engine.Value{},
	}
	for _, n := range g.Nodes {
		w.nodes[n.Name] = n
	}
	for _, v := range g.Values {
		w.values[v.Name] = v
	}
	for i := range plan.Points {
		if err := w.point(i); err != nil {
			return nil, fmt.Errorf("quantize tensor %q: %w", plan.Points[i].Tensor, err)
		}
	}
	for i := range plan.Layers {
		if err := w.layer(i); err != nil {
			return nil, fmt.Errorf("quantize layer %q: %w", plan.Layers[i].Node, err)
		}
	}
	w.freeze()
	w.order()
	w.net.collect()
	return w.net, nil
}

// rewriter is the state of Rewrite.
type rewriter struct {
	net    *Network
	nodes  map[string]*engine.Node
	values map[string]*engine.Value
	behind map[*engine.Value][]*engine.Node // new nodes to run right after a value is computed
	before map[*engine.Node][]*engine.Node  // new nodes to run right before a node
	reads  map[*engine.Value]*engine.Value  // requantized form of a value of a residual stream
}

// point inserts the quantizer of point i on its tensor.
func (w *rewriter) point(i int) error {
	t, p := &w.net.Plan.Points[i], &w.net.points[i]
	v := w.values[t.Tensor]
	if v == nil {
		return fmt.Errorf("the graph has no such value")
	}
	root := func(bits int) string { return quantize.StepName(t.Tensor, bits) }
	widths := t.Candidates
	if t.Fixed || len(widths) == 0 {
		widths = []int{fixedBits}
	}
	if t.Asymmetric {
		p.low = make([]float32, 1)
	}
	if !t.Stream || t.Searched() && !slices.Equal(widths, []int{fixedBits}) {
		p.steps = newSteps(widths, 1, t.Signed, root)
		p.steps.Int8, p.steps.low = t.Int8, p.low
	}
	first, suffix := p.steps, "/quantized"
	if t.Stream {
		p.stream = newSteps([]int{fixedBits}, 1, t.Signed, func(int) string { return quantize.StreamName(t.Tensor) })
		p.stream.Int8, p.stream.low = t.Int8, p.low
		first, suffix = p.stream, "/stream"
	}
	op := &ActivationQuant{Steps: first, GradScale: w.net.options.GradScale}
	w.replace(v, w.insert(v, v.Name+suffix, op))
	return nil
}

// insert adds a node with one input x and one output, which runs as soon as x is computed.
func (w *rewriter) insert(x *engine.Value, name string, op engine.Op) *engine.Value {
	n := &engine.Node{Name: name, Op: op, Inputs: []*engine.Value{x}}
	y := &engine.Value{Name: name, Shape: x.Shape.Clone(), Producer: n}
	n.Outputs = []*engine.Value{y}
	w.net.Graph.Values = append(w.net.Graph.Values, y)
	w.behind[x] = append(w.behind[x], n)
	return y
}

// replace makes all nodes of the original graph read y instead of x. Graph outputs stay as they are.
func (w *rewriter) replace(x, y *engine.Value) {
	for _, n := range w.net.Graph.Nodes {
		for i, v := range n.Inputs {
			if v == x {
				n.Inputs[i] = y
			}
		}
	}
}

// freeze makes constants of all parameters outside the layers of the plan. The exported file keeps those parts as they
// were.
func (w *rewriter) freeze() {
	train := map[*engine.Param]bool{}
	for i := range w.net.layers {
		l := &w.net.layers[i]
		train[l.weight] = true
		if l.bias != nil {
			train[l.bias] = true
		}
	}
	for _, v := range w.net.Graph.Values {
		if v.Param != nil && !train[v.Param] {
			v.Const, v.Param = v.Param.Data, nil
		}
	}
	for _, n := range w.net.Graph.Nodes {
		if bn, ok := n.Op.(*ops.Norm); ok {
			n.Op = freeze(bn)
		}
	}
}

// order sorts the new nodes into the graph.
func (w *rewriter) order() {
	var list []*engine.Node
	var follow func(v *engine.Value)
	add := func(n *engine.Node) {
		list = append(list, w.before[n]...)
		list = append(list, n)
		for _, v := range n.Outputs {
			follow(v)
		}
	}
	follow = func(v *engine.Value) {
		for _, n := range w.behind[v] {
			add(n)
		}
	}
	for _, v := range w.net.Graph.Inputs {
		follow(v)
	}
	for _, n := range w.net.Graph.Nodes {
		add(n)
	}
	w.net.Graph.Nodes = list
}
