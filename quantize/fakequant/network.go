package fakequant

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize"
)

// Network is an engine graph with the quantizers of a plan, and the means to switch them. It belongs to one goroutine.
type Network struct {
	Graph *engine.Graph
	Plan  *quantize.Plan

	layers  []layer
	points  []point
	params  []*engine.Param
	options Options
}

// layer is what Rewrite put around one layer of the plan.
type layer struct {
	node   *engine.Node
	weight *engine.Param
	bias   *engine.Param // nil: none
	quant  *WeightQuant
	norm   *SwitchNorm // nil: none
	round  *BiasQuant  // nil: no bias
}

// point is the quantizers of one point of the plan.
type point struct {
	stream *Steps // nil: no stream
	steps  *Steps // nil: a stream that no layer reads below 8 bits
	low    []float32
}

// read is the quantizer of the codes that layers reading the point compute with.
func (p *point) read() *Steps {
	if p.stream != nil && (p.steps == nil || p.steps.Bits() == fixedBits) {
		return p.stream
	}
	return p.steps
}

// input is the step of these codes.
func (p *point) input() float32 { return p.read().Param().Data[0] }

// grids are those of a layer that reads the point.
func (p *point) grids(t *quantize.Point, weight *WeightQuant) grids {
	g := grids{input: p.input, signed: t.Signed, weight: weight}
	if t.Asymmetric {
		g.zero = func() int { return p.read().zero() }
	}
	return g
}

// fixedBits are the bits of first and last layers and of streams.
const fixedBits = 8

// Select puts the bit-widths of a policy into use for the following runs. After an error the choice is undefined.
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

// Params lists all parameters of the network, used by the selected bits or not, in an order that depends on the plan
// alone: per layer weights, bias, steps and norms, then the steps of the points.
func (n *Network) Params() []*engine.Param { return n.params }

// Weight is the shared float weights of layer i.
func (n *Network) Weight(i int) *engine.Param { return n.layers[i].weight }

// Bias is the bias of layer i, or nil.
func (n *Network) Bias(i int) *engine.Param { return n.layers[i].bias }

// WeightSteps are the step sizes of the weights of layer i.
func (n *Network) WeightSteps(i int) *Steps { return n.layers[i].quant.Steps }

// Norm is the BatchNorm of layer i, or nil.
func (n *Network) Norm(i int) *SwitchNorm { return n.layers[i].norm }

// Round turns the rounding of biases to int32 on or off.
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

// Tap sets the mode of the distortion taps for the following runs: mode for the layers with a norm that are listed (nil:
// all), Off for the others. weight counts when comparing.
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

// Distortion is the sum over compared layers of the mean squared difference of the last run, without weight.
func (n *Network) Distortion() float64 {
	var sum float64
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			sum += o.tap.loss
		}
	}
	return sum
}

// KeepStatistics sets the share of the running statistics that a batch leaves, in all norms, and returns what it was.
func (n *Network) KeepStatistics(keep float32) (old float32) {
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			old, o.Keep = o.Keep, keep
		}
	}
	return old
}

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
