package fakequant

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize"
)

// Network is an engine graph with the quantizers of a plan, which it can switch. It belongs to one goroutine.
type Network struct {
	Graph *engine.Graph
	Plan  *quantize.Plan

	layers  []layer
	points  []point
	params  []*engine.Param
	options Options
}

// layer holds what Rewrite put around one layer of the plan.
type layer struct {
	node   *engine.Node
	weight *engine.Param
	bias   *engine.Param // nil: none
	quant  *WeightQuant
	norm   *SwitchNorm // nil: none
	round  *BiasQuant  // nil: no bias
}

// point holds the activation quantizers of one point of the plan.
type point struct {
	stream *Steps    // of the residual stream; nil: the tensor is none
	steps  *Steps    // of the layers that read it; nil: none of them reads a stream below 8 bits
	low    []float32 // lowest value of an asymmetric tensor, as an array of one
}

// read returns the quantizer of the codes that layers compute with.
func (p *point) read() *Steps {
	if p.stream != nil && (p.steps == nil || p.steps.Bits() == fixedBits) {
		return p.stream
	}
	return p.steps
}

// input is the step size of these codes.
func (p *point) input() float32 { return p.read().Param().Data[0] }

// grids describes the operands of a layer that reads the point.
func (p *point) grids(t *quantize.Point, weight *WeightQuant) grids {
	g := grids{input: p.input, signed: t.Signed, weight: weight}
	if t.Asymmetric {
		g.zero = func() int { return p.read().zero() }
	}
	return g
}

// fixedBits is the width of first and last layers and of residual streams.
const fixedBits = 8

// Select switches the network to the bit-widths of a policy. It is an error if a layer or point lacks a width; the
// selection is then undefined.
func (n *Network) Select(q quantize.Policy) error {
	if len(q.W) != len(n.layers) || len(q.A) != len(n.points) {
		return fmt.Errorf("select bits: policy has %d layers and %d tensors, the network %d and %d",
			len(q.W), len(q.A), len(n.layers), len(n.points))
	}
	for i := range n.points {
		p, t := &n.points[i], &n.Plan.Points[i]
		if p.steps == nil {
			continue
		}
		bits := q.A[i]
		if t.Fixed {
			bits = fixedBits
		}
		if err := p.steps.sel(bits); err != nil {
			return fmt.Errorf("select bits of tensor %q: %w", t.Tensor, err)
		}
	}
	for i := range n.layers {
		l := &n.layers[i]
		w, a := n.Plan.Bits(q, i)
		err := l.quant.Steps.sel(w)
		if err == nil && l.norm != nil {
			err = l.norm.sel(w, a)
		}
		if err != nil {
			return fmt.Errorf("select bits of layer %q: %w", n.Plan.Layers[i].Node, err)
		}
	}
	return nil
}

// Params lists all parameters, whether the selected policy uses them or not. The order depends on the plan only:
// weights, bias, step sizes and norms of each layer, then the step sizes of the points.
func (n *Network) Params() []*engine.Param { return n.params }

// Weight returns the shared float weights of layer i.
func (n *Network) Weight(i int) *engine.Param { return n.layers[i].weight }

// Bias returns the bias of layer i, or nil.
func (n *Network) Bias(i int) *engine.Param { return n.layers[i].bias }

// WeightSteps returns the step sizes of the weights of layer i.
func (n *Network) WeightSteps(i int) *Steps { return n.layers[i].quant.Steps }

// Norm returns the BatchNorm of layer i, or nil.
func (n *Network) Norm(i int) *SwitchNorm { return n.layers[i].norm }

// Round switches the rounding of biases to int32 on or off.
func (n *Network) Round(on bool) {
	for i := range n.layers {
		l := &n.layers[i]
		if l.norm != nil {
			l.norm.Round = on
		}
		if l.round != nil {
			l.round.Round = on
		}
	}
}

// Tap sets the mode of the distortion taps for the following runs: mode for the listed layers that have a norm (nil:
// all layers), Off for all others. weight is the factor of the term in Compare mode.
func (n *Network) Tap(mode TapMode, layers []int, weight float32) {
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			o.tap.mode = Off
			if layers == nil {
				o.tap.mode, o.tap.weight = mode, weight
			}
		}
	}
	for _, i := range layers {
		if o := n.layers[i].norm; o != nil {
			o.tap.mode, o.tap.weight = mode, weight
		}
	}
}

// Distortion returns the loss of the taps in the last run, without weight: the mean squared difference, summed over the
// compared layers.
func (n *Network) Distortion() float64 {
	var sum float64
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			sum += o.tap.loss
		}
	}
	return sum
}

// KeepStatistics sets, in all norms, the share of the running statistics that remains after a batch. It returns the old
// value.
func (n *Network) KeepStatistics(keep float32) (old float32) {
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			old, o.Keep = o.Keep, keep
		}
	}
	return old
}

// collect fills the list of parameters.
func (n *Network) collect() {
	for i := range n.layers {
		l := &n.layers[i]
		n.params = append(n.params, l.weight)
		if l.bias != nil {
			n.params = append(n.params, l.bias)
		}
		n.params = append(n.params, l.quant.Steps.Params()...)
		if l.norm != nil {
			n.params = append(n.params, l.norm.Params()...)
		}
	}
	for i := range n.points {
		for _, s := range []*Steps{n.points[i].stream, n.points[i].steps} {
			if s != nil {
				n.params = append(n.params, s.Params()...)
			}
		}
	}
}
