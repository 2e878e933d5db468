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

// observation is what a layer has read.
type observation struct {
	*moments // nil: there is nothing to choose
	net      *fakequant.Network
	index    int
	grids    []grid

	trained bool
	widest  []float32 // steps of the widest path, whose codes lie between lo and hi
	lo, hi  float32
}

// observe begins that of layer i, and names the value to look at.
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

// grid is what the codes of a layer at a width are multiples of, and their range.
type grid struct {
	codes, steps string    // names of the arrays of the result
	own          []float32 // the network's, per output channel
	lo, hi       float32
	partners     partners // nil: no code bounds another
}

// gridsOf are those that codes are chosen for: all widths below eight bits and, in place of eight, what of these cannot saturate.
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

// limited are the grids of eight bits whose pairs cannot saturate, one for each pairing that the layer tells apart.
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

// add adds a batch of n pictures.
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

// check refuses what has no moments.
func (o *observation) check() error {
	if o.moments != nil && !o.finite() {
		return fmt.Errorf("layer %q reads values that are not finite, or too large to be squared", o.net.Plan.Layers[o.index].Node)
	}
	return nil
}

// codes are those of all grids, and the steps that they are at, by name.
func (o *observation) codes(ctx context.Context) (map[string]quantize.Array, error) {
	out := map[string]quantize.Array{}
	if o.moments == nil {
		return out, nil
	}
	o.columns, o.product = nil, nil // room of the pass over the pictures
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

// channelsTogether is how many output channels are rounded side by side: enough for what is read of the factors to be worth it, few enough
// for their trials to stay in a processor's cache.
const channelsTogether = 4

// factored takes the moments of a group of output channels apart.
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

// round writes the codes of output channels of a group, and their steps.
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

// channel are the weights of output channel k that codes are to come near to: see Options.Trained.
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

// position is where the weights of output channel k begin, and how far apart they are.
func (o *observation) position(k int) (first, stride int) {
	l := &o.net.Plan.Layers[o.index]
	return quantize.ChannelWeights(l.Shape, l.Axis, k)
}
