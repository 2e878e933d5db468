package fakequant

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// Options of Rewrite.
type Options struct {
	// BiasRounding simulates biases as int32 numbers at the step of the accumulator, as exported files hold them.
	BiasRounding bool
	// GradScale multiplies the gradient of a step by 1/sqrt(elements*p), as LSQ proposes.
	GradScale bool
	// NormMomentum is the share of a batch in the running statistics, PyTorch's momentum; 0 means 0.1.
	NormMomentum float32
	// FloatProducts multiplies dequantized values in float32 where layers would multiply their codes: the same up to
	// rounding, and several times slower.
	FloatProducts bool
}

// Rewrite puts the quantizers of a plan into the engine graph of the model that the plan was made for, and changes it
// in place: a quantizer on every point, so that everything downstream reads quantized values; on a stream, an 8-bit one,
// and one more in front of each layer that reads it; a quantizer on the weights of each layer; a switchable norm in
// place of its BatchNorm. Layers multiply codes. Everything outside the layers of the plan is frozen.
//
// Weight steps are set from the weights, activation steps by the first batch that reaches a width, unless Load brings
// both.
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

// rewriter is the state of one Rewrite.
type rewriter struct {
	net    *Network
	nodes  map[string]*engine.Node
	values map[string]*engine.Value
	behind map[*engine.Value][]*engine.Node // new nodes to run right after a value is there
	before map[*engine.Node][]*engine.Node  // new nodes to run right before a node
	reads  map[*engine.Value]*engine.Value  // requantized form of a value that carries a stream
}

// point puts the quantizer of point i on its tensor.
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

// insert makes a node with one input and one output that runs as soon as its input is there.
func (w *rewriter) insert(x *engine.Value, name string, op engine.Op) *engine.Value {
	n := &engine.Node{Name: name, Op: op, Inputs: []*engine.Value{x}}
	y := &engine.Value{Name: name, Shape: x.Shape.Clone(), Producer: n}
	n.Outputs = []*engine.Value{y}
	w.net.Graph.Values = append(w.net.Graph.Values, y)
	w.behind[x] = append(w.behind[x], n)
	return y
}

// replace lets all nodes of the original graph read y instead of x. A graph output stays as it is.
func (w *rewriter) replace(x, y *engine.Value) {
	for _, n := range w.net.Graph.Nodes {
		for i, v := range n.Inputs {
			if v == x {
				n.Inputs[i] = y
			}
		}
	}
}

// layer quantizes weights and bias of layer i, makes its norm switchable, and requantizes the stream that it reads.
func (w *rewriter) layer(i int) error {
	l, out := &w.net.Plan.Layers[i], &w.net.layers[i]
	n := w.nodes[l.Node]
	if n == nil || len(n.Inputs) < 2 || n.Inputs[0] == nil || n.Inputs[1] == nil || n.Inputs[1].Param == nil {
		return fmt.Errorf("the graph has no such node with trainable weights")
	}
	p := &w.net.points[l.Point]
	if p.stream != nil && p.steps != nil {
		n.Inputs[0] = w.requantized(n.Inputs[0], l.Point)
	}
	if err := w.weight(n, l, out); err != nil {
		return err
	}
	s := scales{p.input, out.quant.Steps}
	if !w.net.options.FloatProducts {
		n.Op = exactly(n.Op, l, p.grids(&w.net.Plan.Points[l.Point], out.quant))
	}
	if l.Norm != "" {
		return w.norm(n, l, out, s)
	}
	if len(n.Inputs) > 2 && n.Inputs[2] != nil {
		return w.bias(n, l, out, s)
	}
	return nil
}

// requantized is the value that layers read which read x, a stream or a view of one.
func (w *rewriter) requantized(x *engine.Value, i int) *engine.Value {
	if y := w.reads[x]; y != nil {
		return y
	}
	op := &ActivationQuant{
		Steps: w.net.points[i].steps, Through: fixedBits, ClipMax: w.net.Plan.Points[i].ClipMax, GradScale: w.net.options.GradScale,
	}
	w.reads[x] = w.insert(x, x.Name+"/quantized", op)
	return w.reads[x]
}

// weight puts a quantizer between the weights and the layer.
func (w *rewriter) weight(n *engine.Node, l *quantize.Layer, out *layer) error {
	v := n.Inputs[1]
	if l.Axis < 0 || l.Axis >= len(v.Shape) || v.Shape[l.Axis] != l.OutChannels || !v.Shape.Equal(l.Shape) {
		return fmt.Errorf("weights are %s, the plan says %s", v.Shape, l.Shape)
	}
	widths := l.Candidates
	if l.Fixed || len(widths) == 0 {
		widths = []int{fixedBits}
	}
	out.weight = v.Param
	v.Param.Name, v.Param.Kind = quantize.WeightName(l.Node), engine.Weight
	steps := newSteps(widths, l.OutChannels, true, func(b int) string { return quantize.WeightStepName(l.Node, b) })
	out.quant = &WeightQuant{Steps: steps, Axis: l.Axis, GradScale: w.net.options.GradScale}
	out.quant.start(v.Param.Data, v.Shape)
	n.Inputs[1] = w.upstream(n, v, out.quant)
	return nil
}

// upstream makes a node that computes an input of n from a parameter, to run right before n.
func (w *rewriter) upstream(n *engine.Node, x *engine.Value, op engine.Op) *engine.Value {
	name := x.Name + "/quantized"
	q := &engine.Node{Name: name, Op: op, Inputs: []*engine.Value{x}}
	y := &engine.Value{Name: name, Shape: x.Shape.Clone(), Producer: q}
	q.Outputs = []*engine.Value{y}
	w.net.Graph.Values = append(w.net.Graph.Values, y)
	w.before[n] = append(w.before[n], q)
	return y
}

// bias rounds the bias of a layer without norm.
func (w *rewriter) bias(n *engine.Node, l *quantize.Layer, out *layer, s scales) error {
	v := n.Inputs[2]
	if v.Param == nil || len(v.Param.Data) != l.OutChannels {
		return fmt.Errorf("its bias is not one parameter per output channel")
	}
	out.bias = v.Param
	v.Param.Name, v.Param.Kind = quantize.BiasName(l.Node), engine.Bias
	out.round = &BiasQuant{scales: s, Round: w.net.options.BiasRounding}
	n.Inputs[2] = w.upstream(n, v, out.round)
	return nil
}

// norm replaces the BatchNorm behind a layer; a bias of the layer itself moves into its mean.
func (w *rewriter) norm(n *engine.Node, l *quantize.Layer, out *layer, s scales) error {
	bn := w.nodes[l.Norm]
	if bn == nil {
		return fmt.Errorf("the graph has no node %q", l.Norm)
	}
	old, ok := bn.Op.(*ops.Norm)
	if !ok || len(old.Mean) != l.OutChannels {
		return fmt.Errorf("node %q is no BatchNorm of %d channels", l.Norm, l.OutChannels)
	}
	mean := slices.Clone(old.Mean)
	if len(n.Inputs) > 2 && n.Inputs[2] != nil {
		b := n.Inputs[2].Param
		if b == nil || len(b.Data) != l.OutChannels {
			return fmt.Errorf("its bias is not one parameter per output channel")
		}
		for k, v := range b.Data {
			mean[k] -= v
		}
		n.Inputs = n.Inputs[:2]
	}
	o := &SwitchNorm{
		EPS: old.EPS, Round: w.net.options.BiasRounding, Keep: 1 - w.net.options.NormMomentum,
		sets: map[[2]int]*NormSet{}, scales: s,
	}
	for _, wb := range out.quant.Steps.bits {
		for _, ab := range w.activationBits(l) {
			key := [2]int{wb, ab}
			param := func(part string, data []float32) *engine.Param {
				return engine.NewParam(quantize.NormName(l.Node, wb, ab, part), engine.Scale, tensor.Shape{len(data)}, slices.Clone(data))
			}
			o.order = append(o.order, key)
			o.sets[key] = &NormSet{param("gamma", old.Gamma.Data), param("beta", old.Beta.Data), slices.Clone(mean), slices.Clone(old.Var)}
			o.current = o.sets[key]
		}
	}
	out.norm, bn.Op = o, o
	return nil
}

// activationBits are the widths at which a layer may read its input.
func (w *rewriter) activationBits(l *quantize.Layer) []int {
	t := &w.net.Plan.Points[l.Point]
	if l.Fixed || t.Fixed || len(t.Candidates) == 0 {
		return []int{fixedBits}
	}
	return t.Candidates
}

// freeze makes constants of all parameters that belong to no layer of the plan: the exported file keeps those parts as
// they were.
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

// order puts the new nodes where they belong.
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
