package rounding

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// observation is what a layer has read.
type observation struct {
	*moments // nil: there is nothing to choose
	net      *fakequant.Network
	index    int
	grids    []grid
}

// observe begins that of layer i, and names the value to look at.
func observe(net *fakequant.Network, i int) (*observation, *engine.Value) {
	l := &net.Plan.Layers[i]
	x, conv := net.Operand(i)
	groups := 1
	if conv != nil {
		groups = conv.Group
	}
	o := &observation{net: net, index: i, grids: gridsOf(l, net.WeightSteps(i))}
	if len(o.grids) > 0 {
		o.moments = newMoments(groups, l.Shape.Numel()/l.OutChannels, conv != nil && l.Norm != "")
	}
	return o, x
}

// grid is what the codes of a layer at a width are multiples of, per output channel, and their range.
type grid struct {
	name   string
	step   func(channel int) float32
	lo, hi float32
}

// gridsOf are those that codes are chosen for: all widths below eight bits and, in place of eight, what LimitPairs leaves of it.
func gridsOf(l *quantize.Layer, steps *fakequant.Steps) []grid {
	var list []grid
	for _, bits := range steps.Widths() {
		data, name, times := steps.At(bits).Data, quantize.CodeName(l.Node, bits), float32(1)
		if bits == 8 {
			if l.Depthwise {
				continue // these are never limited
			}
			bits, name, times = 7, quantize.LimitedName(l.Node), 2
		}
		lo, hi := quantize.Levels(bits, true)
		list = append(list, grid{name, func(c int) float32 { return times * data[c] }, float32(lo), float32(hi)})
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

// codes are those of all grids, by name.
func (o *observation) codes() map[string]quantize.Array {
	out := map[string]quantize.Array{}
	if o.moments == nil {
		return out
	}
	w := o.net.Weight(o.index)
	for _, g := range o.grids {
		out[g.name] = quantize.Array{Shape: w.Shape.Clone(), Codes: make([]int8, len(w.Data))}
	}
	for group := range o.groups {
		for piece := range o.blocks {
			o.round(group, piece, out)
		}
	}
	return out
}

// round writes the codes of a block of weights of the output channels of a group.
func (o *observation) round(group, piece int, out map[string]quantize.Array) {
	l, w := &o.net.Plan.Layers[o.index], o.net.Weight(o.index)
	b, channels := o.blocks[piece], l.OutChannels/o.groups
	f := factor(o.matrix(group, piece), b.size())
	row, codes := make([]float32, b.size()), make([]int8, b.size())
	for c := group * channels; c < (group+1)*channels; c++ {
		first, stride := c*o.weights, 1
		if l.Axis == 1 {
			first, stride = c, l.OutChannels
		}
		first += b.from * stride
		for k := range row {
			row[k] = w.Data[first+k*stride]
		}
		for _, g := range o.grids {
			f.round(row, g.step(c), g.lo, g.hi, codes)
			chosen := out[g.name].Codes
			for k, v := range codes {
				chosen[first+k*stride] = v
			}
		}
	}
}
