package rounding

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// observation is what is known of a layer's input.
type observation struct {
	*moments // nil: there is nothing to choose
	net      *fakequant.Network
	index    int
	grids    []grid

	trained bool
	widest  []float32 // step sizes of the widest policy, whose codes lie in [lo, hi]
	lo, hi  float32
}

// observe prepares the observation of layer i and returns the value of the graph that the layer reads.
func observe(net *fakequant.Network, i int, trained bool) (*observation, *engine.Value) {
	l := &net.Plan.Layers[i]
	x, conv := net.Operand(i)
	steps := net.WeightSteps(i)
	top := slices.Max(steps.Widths())
	lo, hi := quantize.Levels(top, true)
	o := &observation{net: net, index: i, grids: gridsOf(l, steps), trained: trained, widest: steps.At(top).Data, lo: float32(lo), hi: float32(hi)}
	if len(o.grids) > 0 {
		o.moments = newMoments(l.InGroups(), l.Terms(), conv != nil && l.Norm != "")
	}
	return o, x
}

// grid is the set of values that the weights of a layer can take at one bit-width: step sizes times codes in [lo, hi].
type grid struct {
	codes, steps string    // names of the arrays of the result
	own          []float32 // the network's step sizes, one per output channel
	lo, hi       float32
	partners     partners // nil: no code bounds another
}

// gridsOf lists the grids that codes are chosen for: all widths below 8 bits and, at 8 bits, those of limited.
func gridsOf(l *quantize.Layer, steps *fakequant.Steps) []grid {
	var list []grid
	for _, bits := range steps.Widths() {
		lo, hi := quantize.Levels(bits, true)
		g := grid{own: steps.At(bits).Data, lo: float32(lo), hi: float32(hi)}
		if bits == 8 {
			list = append(list, g.limited(l)...)
			continue
		}
		g.codes, g.steps = quantize.CodeName(l.Node, bits), quantize.WeightStepName(l.Node, bits)
		list = append(list, g)
	}
	return list
}

// limited lists the 8-bit grids whose pairs of codes cannot saturate, one for each pairing that the layer
// distinguishes.
func (g grid) limited(l *quantize.Layer) []grid {
	if !l.Paired() {
		return nil
	}
	var list []grid
	for _, order := range l.Pairings() {
		g.codes, g.steps = quantize.LimitedName(l, order), quantize.LimitedStepName(l, order)
		g.partners = quantize.Partners(l.Shape, l.Axis, order)
		list = append(list, g)
	}
	return list
}

// add adds the layer's input x for a batch of n samples, unless it has seen enough.
func (o *observation) add(x engine.Buf, n int) error {
	if o.moments == nil || o.enough() {
		return nil
	}
	if _, conv := o.net.Operand(o.index); conv != nil {
		shape, err := conv.Shape(x.Shape, o.net.Weight(o.index).Shape)
		if err != nil {
			return err
		}
		o.addConv(shape, x.Data)
		return nil
	}
	o.addRows(x.Data, n)
	return nil
}

// check is an error that names the layer if its moments are not finite.
func (o *observation) check() error {
	if o.moments != nil && !o.finite() {
		return fmt.Errorf("layer %q reads values that are not finite, or too large to be squared", o.net.Plan.Layers[o.index].Node)
	}
	return nil
}

// codes rounds the weights of the layer for all grids and returns codes and step sizes by array name. The only error is
// that of the context.
func (o *observation) codes(ctx context.Context) (map[string]quantize.Array, error) {
	out := map[string]quantize.Array{}
	if o.moments == nil {
		return out, nil
	}
	o.columns, o.product = nil, nil // scratch of the pass over the samples
	w, channels := o.net.Weight(o.index), o.net.Plan.Layers[o.index].OutChannels
	for _, g := range o.grids {
		out[g.codes] = quantize.Array{Shape: w.Shape.Clone(), Codes: make([]int8, len(w.Data))}
		out[g.steps] = quantize.Array{Shape: tensor.Shape{channels}, Data: make([]float32, channels)}
	}
	for i := range o.groups {
		g, err := o.factored(ctx, i)
		if err != nil {
			return nil, err
		}
		end := (i + 1) * channels / o.groups
		for k := i * channels / o.groups; k < end; k += channelsTogether {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			o.round(k, min(k+channelsTogether, end), g, out)
		}
	}
	return out, nil
}

// channelsTogether is the number of output channels that are rounded side by side. Reading the factors must pay off,
// and the trials must stay in the processor's cache.
const channelsTogether = 4

// factored factors the moments of group i of the output channels.
func (o *observation) factored(ctx context.Context, i int) (*group, error) {
	g := &group{blocks: o.blocks}
	for piece, b := range o.blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g.factors = append(g.factors, factor(o.matrix(i, piece), b.size()))
		o.forget(i, piece) // a large layer's take as much memory as what is made of them
	}
	return g, nil
}

// round chooses codes and steps of output channels [from, to), which belong to group g, and writes them to out.
func (o *observation) round(from, to int, g *group, out map[string]quantize.Array) {
	var searches []*search
	for k := from; k < to; k++ {
		weights := o.channel(k)
		for i := range o.grids {
			searches = append(searches, newSearch(weights, &o.grids[i], o.grids[i].own[k]))
		}
	}
	for i, t := range g.choose(searches) {
		k, grid := from+i/len(o.grids), &o.grids[i%len(o.grids)]
		out[grid.steps].Data[k] = t.step
		first, stride := o.position(k)
		for i, code := range t.codes {
			out[grid.codes].Codes[first+i*stride] = code
		}
	}
}

// channel returns the weights of output channel k that rounding aims at: see Options.Trained.
func (o *observation) channel(k int) []float32 {
	weights, step := make([]float32, o.weights), o.widest[k]
	first, stride := o.position(k)
	for i := range weights {
		w := o.net.Weight(o.index).Data[first+i*stride]
		if o.trained {
			w = step * float32(math.RoundToEven(float64(w/step)))
		}
		weights[i] = min(max(w, o.lo*step), o.hi*step)
	}
	return weights
}

// position returns where the weights of output channel k begin in the weight tensor, and their stride.
func (o *observation) position(k int) (first, stride int) {
	l := &o.net.Plan.Layers[o.index]
	return quantize.ChannelWeights(l.Shape, l.Axis, k)
}
