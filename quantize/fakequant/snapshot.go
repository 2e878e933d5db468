package fakequant

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// ShareNorms lets the norm of the widest pair of widths serve all pairs of a layer, as without switchable norms. A
// supernet then holds copies of it under the names of all pairs.
func (n *Network) ShareNorms() {
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			o.shared = true
		}
	}
}

// Supernet copies everything that training changes.
func (n *Network) Supernet() *quantize.Supernet {
	s := &quantize.Supernet{Arrays: map[string]quantize.Array{}, EPS: map[string]float32{}}
	n.each(func(name string, shape tensor.Shape, data []float32) {
		s.Arrays[name] = quantize.Array{Shape: shape.Clone(), Data: slices.Clone(data)}
	})
	n.spreadNorms(s)
	n.saveCodes(s)
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			s.EPS[n.Plan.Layers[i].Node] = o.EPS
		}
	}
	return s
}

// spreadNorms copies shared norms in s to the names of all pairs.
func (n *Network) spreadNorms(s *quantize.Supernet) {
	for i := range n.layers {
		o := n.layers[i].norm
		if o == nil || !o.shared {
			continue
		}
		node, widest := n.Plan.Layers[i].Node, o.widest()
		for _, key := range o.order {
			for part, data := range map[string][]float32{"gamma": widest.Gamma.Data, "beta": widest.Beta.Data, "mean": widest.Mean, "var": widest.Var} {
				copy(s.Arrays[quantize.NormName(node, key[0], key[1], part)].Data, data)
			}
		}
	}
}

// Load adopts the arrays of a supernet, which may hold more than the network needs. It is an error if an array is
// missing or does not fit; nothing is changed then.
func (n *Network) Load(s *quantize.Supernet) error {
	var err error
	n.each(func(name string, shape tensor.Shape, data []float32) {
		a, ok := s.Arrays[name]
		switch {
		case err != nil:
		case !ok:
			err = fmt.Errorf("load supernet: array %q is missing", name)
		case len(a.Data) != len(data):
			err = fmt.Errorf("load supernet: array %q has shape %s, %s wanted", name, a.Shape, shape)
		}
	})
	if err := errors.Join(err, n.loadCodes(s)); err != nil {
		return err
	}
	n.each(func(name string, _ tensor.Shape, data []float32) { copy(data, s.Arrays[name].Data) })
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			if eps, ok := s.EPS[n.Plan.Layers[i].Node]; ok {
				o.EPS = eps
			}
		}
	}
	return nil
}

// each calls visit for all arrays of the network: parameters and running statistics.
func (n *Network) each(visit func(name string, shape tensor.Shape, data []float32)) {
	for _, p := range n.params {
		visit(p.Name, p.Shape, p.Data)
	}
	for i := range n.points {
		if low := n.points[i].low; low != nil {
			visit(quantize.LowName(n.Plan.Points[i].Tensor), tensor.Shape{1}, low)
		}
	}
	n.eachStatistic(visit)
}

// eachStatistic calls visit for the running statistics.
func (n *Network) eachStatistic(visit func(name string, shape tensor.Shape, data []float32)) {
	for i := range n.layers {
		o := n.layers[i].norm
		if o == nil {
			continue
		}
		for _, key := range o.order {
			set, node := o.sets[key], n.Plan.Layers[i].Node
			shape := tensor.Shape{len(set.Mean)}
			visit(quantize.NormName(node, key[0], key[1], "mean"), shape, set.Mean)
			visit(quantize.NormName(node, key[0], key[1], "var"), shape, set.Var)
		}
	}
}

// Floors are lower bounds of parameters that must stay positive: one number for each element of a parameter.
type Floors map[*engine.Param][]float32

// Floors returns share times the present value of every gamma and step size that is positive. Exported scales must be
// positive.
func (n *Network) Floors(share float32) Floors {
	f := Floors{}
	add := func(p *engine.Param) {
		low := make([]float32, len(p.Data))
		for i, v := range p.Data {
			low[i] = float32(math.Inf(-1))
			if v > 0 {
				low[i] = share * v
			}
		}
		f[p] = low
	}
	for i := range n.layers {
		if o := n.layers[i].norm; o != nil {
			for _, s := range o.sets {
				add(s.Gamma)
			}
		}
	}
	for _, p := range n.params {
		if p.Kind == engine.StepSize {
			add(p)
		}
	}
	return f
}
