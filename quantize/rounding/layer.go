package rounding

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// eight bits are not chosen.
const eight = 8

// observation is what a layer has read.
type observation struct {
	*moments
	net   *fakequant.Network
	index int
}

// observe begins that of layer i, and names the value to look at.
func observe(net *fakequant.Network, i int) (*observation, *engine.Value) {
	l := &net.Plan.Layers[i]
	x, conv := net.Operand(i)
	groups := 1
	if conv != nil {
		groups = conv.Group
	}
	return &observation{newMoments(groups, l.Shape.Numel()/l.OutChannels, l.Norm != ""), net, i}, x
}

// wanted reports whether the layer has widths to choose codes for.
func (o *observation) wanted() bool { return o.net.WeightSteps(o.index).Widths()[0] < eight }

// add adds a batch.
func (o *observation) add(x engine.Buf) error {
	if !o.wanted() || o.enough() {
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
	o.addRows(x.Data, x.Shape[0])
	return nil
}

// codes are those of all widths, by name.
func (o *observation) codes() map[string]quantize.Array {
	out := map[string]quantize.Array{}
	if !o.wanted() {
		return out
	}
	w, node := o.net.Weight(o.index), o.net.Plan.Layers[o.index].Node
	for _, bits := range o.net.WeightSteps(o.index).Widths() {
		if bits < eight {
			out[quantize.CodeName(node, bits)] = quantize.Array{Shape: w.Shape.Clone(), Codes: make([]int8, len(w.Data))}
		}
	}
	for g := range o.groups {
		for k := range o.blocks {
			o.round(g, k, out)
		}
	}
	return out
}

// round writes the codes of a block of weights of the output channels of a group.
func (o *observation) round(group, piece int, out map[string]quantize.Array) {
	l, w, steps := &o.net.Plan.Layers[o.index], o.net.Weight(o.index), o.net.WeightSteps(o.index)
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
		for _, bits := range steps.Widths() {
			if bits >= eight {
				continue
			}
			lo, hi := quantize.Levels(bits, true)
			f.round(row, steps.At(bits).Data[c], float32(lo), float32(hi), codes)
			chosen := out[quantize.CodeName(l.Node, bits)].Codes
			for k, v := range codes {
				chosen[first+k*stride] = v
			}
		}
	}
}
