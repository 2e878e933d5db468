package engine

import (
	"slices"

	"github.com/mpqc/mpqc/internal/engine/grad"
	"github.com/mpqc/mpqc/internal/tensor"
)

// place decides how long every buffer lives, and lays out the arena for the largest batch.
func (p *plan) place(s []tensor.Shape) {
	var all []*block
	make1 := func(floats, first, last int) *block {
		b := &block{floats: floats, first: first, last: last}
		all = append(all, b)
		return b
	}
	p.placeData(s, make1)
	p.placeOwn(s, make1)
	if p.tape != nil {
		p.placeGrads(s, make1)
	}
	if p.opts.apart {
		for _, b := range all {
			b.first, b.last = 0, p.end
		}
	}
	p.size = layout(all)
}

// maker makes a block of the given size and lifetime.
type maker func(floats, first, last int) *block

// placeData plans forward elements. They live from their producer to the last node that reads them, or to the last
// backward that retains them. Inputs, outputs and kept values live throughout.
func (p *plan) placeData(s []tensor.Shape, make1 maker) {
	p.data = make([]*block, len(p.root))
	for c, v := range p.root {
		val := p.values[v]
		if p.class[v] != c || val.IsConst() || val.Param != nil {
			continue
		}
		p.data[c] = make1(s[v].Numel(), 0, 0)
	}
	until := func(v, t int) {
		if b := p.data[p.class[v]]; b != nil {
			b.last = max(b.last, t)
		}
	}
	for t, pn := range p.nodes {
		for i, v := range pn.out {
			if b := p.data[p.class[v]]; b != nil && !(pn.view && i == 0) {
				b.first, b.last = t, max(b.last, t)
			}
		}
		for _, v := range pn.in {
			if v >= 0 {
				until(v, t)
			}
		}
		if pn.step == nil {
			continue
		}
		for _, v := range p.retained(pn) {
			until(v, p.back(t))
		}
	}
	for _, list := range [][]*Value{p.graph.Inputs, p.graph.Outputs, p.opts.Keep} {
		for _, v := range list {
			if b := p.data[p.class[p.index[v]]]; b != nil {
				b.first, b.last, b.lasting = 0, p.end, true
			}
		}
	}
}

// retained lists the values that the backward of a node reads.
func (p *plan) retained(pn planned) []int {
	d, ok := pn.node.Op.(Differentiable)
	if !ok {
		return nil
	}
	r := d.Retain()
	var list []int
	for _, i := range r.In {
		if i < len(pn.in) && pn.in[i] >= 0 {
			list = append(list, pn.in[i])
		}
	}
	for _, i := range r.Out {
		if i < len(pn.out) {
			list = append(list, pn.out[i])
		}
	}
	return list
}

// placeOwn plans the saved bytes and the scratch of operators.
func (p *plan) placeOwn(s []tensor.Shape, make1 maker) {
	for t := range p.nodes {
		pn := &p.nodes[t]
		in, out := pick(s, pn.in), pick(s, pn.out)
		if sv, ok := pn.node.Op.(Saver); ok {
			last := t
			if pn.step != nil {
				last = p.back(t)
			}
			pn.saved = make1((sv.SavedBytes(in, out)+3)/4, t, last)
		}
		if sc, ok := pn.node.Op.(Scratcher); ok {
			n := sc.ScratchFloats(in, out, p.opts.Pool.Threads())
			pn.scratch[0] = make1(n, t, t)
			if pn.step != nil {
				pn.scratch[1] = make1(n, p.back(t), p.back(t))
			}
		}
	}
}

// placeGrads plans gradients. They live from the first contribution to the backward of the producer. The gradient of a
// graph output is written by the caller and lives throughout.
func (p *plan) placeGrads(s []tensor.Shape, make1 maker) {
	p.grads = make([]*block, len(p.root))
	p.seeds = make([]*block, len(p.graph.Outputs))
	for i, out := range p.graph.Outputs {
		v := p.index[out]
		c := p.class[v]
		if !p.tape.Needs[c] {
			continue
		}
		p.seeds[i] = make1(s[v].Numel(), 0, p.end)
		if p.grads[c] == nil && p.values[p.root[c]].Param == nil {
			p.grads[c] = p.seeds[i]
		}
	}
	for _, step := range p.tape.Steps {
		pn := &p.nodes[step.Node]
		t := p.back(step.Node)
		pn.temps = make([]*block, len(pn.in))
		for i, a := range step.In {
			switch a {
			case grad.Write:
				b := p.shared(pn, i)
				if b == nil {
					b = make1(s[pn.in[i]].Numel(), t, t)
				}
				p.grads[p.class[pn.in[i]]] = b
			case grad.Accumulate:
				pn.temps[i] = make1(s[pn.in[i]].Numel(), t, t)
			case grad.Skip, grad.Share:
			}
			if v := pn.in[i]; v >= 0 && p.grads[p.class[v]] != nil {
				b := p.grads[p.class[v]]
				b.last = max(b.last, t)
			}
		}
		for i, v := range pn.out {
			if b := p.grads[p.class[v]]; step.Out[i] && b != nil {
				b.last = max(b.last, t)
			}
		}
	}
}

// shared returns the gradient of an output that a chain may overwrite, piece by piece, with that of its input i.
// Nothing may read it after this node. It is nil for other operators, and for gradients that the caller wrote.
func (p *plan) shared(pn *planned, i int) *block {
	c, ok := pn.node.Op.(*chain)
	if !ok || i != 0 || p.opts.apart {
		return nil
	}
	k := c.stages[len(c.stages)-1].out
	if !pn.step.Out[k] || slices.Contains(p.seeds, p.grads[p.class[pn.out[k]]]) {
		return nil
	}
	return p.grads[p.class[pn.out[k]]]
}

// back is the time at which node i runs backward.
func (p *plan) back(i int) int { return p.end - 1 - i }
