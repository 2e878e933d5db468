package fakequant

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// layer quantizes weights and bias of layer i, makes its norm switchable, and requantizes the stream that it reads.
func (w *rewriter) layer(i int) error {
	l, out := &w.net.Plan.Layers[i], &w.net.layers[i]
	n := w.nodes[l.Node]
	if n == nil || len(n.Inputs) < 2 || n.Inputs[0] == nil || n.Inputs[1] == nil || n.Inputs[1].Param == nil {
		return fmt.Errorf("the graph has no such node with trainable weights")
	}
	out.node = n
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

// requantized returns what layers read in place of x, which is the stream of point i or a view of it.
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

// weight inserts a quantizer between the weights and the layer.
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

// upstream adds a node that computes an input of n from a parameter, to run right before n.
func (w *rewriter) upstream(n *engine.Node, x *engine.Value, op engine.Op) *engine.Value {
	name := x.Name + "/quantized"
	q := &engine.Node{Name: name, Op: op, Inputs: []*engine.Value{x}}
	y := &engine.Value{Name: name, Shape: x.Shape.Clone(), Producer: q}
	q.Outputs = []*engine.Value{y}
	w.net.Graph.Values = append(w.net.Graph.Values, y)
	w.before[n] = append(w.before[n], q)
	return y
}

// bias inserts the rounding of the bias of a layer without norm.
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

// norm replaces the BatchNorm behind a layer. A bias of the layer itself moves into its mean.
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

// activationBits lists the widths at which a layer may read its input.
func (w *rewriter) activationBits(l *quantize.Layer) []int {
	t := &w.net.Plan.Points[l.Point]
	if l.Fixed || t.Fixed || len(t.Candidates) == 0 {
		return []int{fixedBits}
	}
	return t.Candidates
}
