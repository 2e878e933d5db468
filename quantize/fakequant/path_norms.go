package fakequant

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// Norms copies the running means and variances, each [channels], of the norms that policy q uses. The names are those
// of a supernet.
func (n *Network) Norms(q quantize.Policy) *quantize.Supernet {
	s := &quantize.Supernet{Arrays: map[string]quantize.Array{}, EPS: map[string]float32{}}
	for i := range n.layers {
		norm := n.layers[i].norm
		if norm == nil {
			continue
		}
		w, a := n.Plan.Bits(q, i)
		set, node := norm.sets[[2]int{w, a}], n.Plan.Layers[i].Node
		if set == nil {
			continue
		}
		for part, v := range map[string][]float32{"mean": set.Mean, "var": set.Var} {
			s.Arrays[quantize.NormName(node, w, a, part)] = quantize.Array{Shape: tensor.Shape{len(v)}, Data: slices.Clone(v)}
		}
	}
	return s
}
