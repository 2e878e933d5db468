package fakequant

import (
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// Statistics saves running statistics of norms during a step that may have to be undone.
type Statistics struct {
	sets   []*NormSet
	values []float32 // mean, then variance, of each set
}

// Keep copies the running statistics of all norms that the policies use.
func (s *Statistics) Keep(n *Network, paths []quantize.Policy) {
	s.sets, s.values = s.sets[:0], s.values[:0]
	for i := range n.layers {
		norm := n.layers[i].norm
		if norm == nil {
			continue
		}
		first := len(s.sets)
		for _, q := range paths {
			if len(q.W) != len(n.layers) || len(q.A) != len(n.points) {
				continue // Select refuses it
			}
			w, a := n.Plan.Bits(q, i)
			set := norm.sets[[2]int{w, a}]
			if set == nil || slices.Contains(s.sets[first:], set) {
				continue
			}
			s.sets = append(s.sets, set)
			s.values = append(append(s.values, set.Mean...), set.Var...)
		}
	}
}

// Restore writes back what Keep copied.
func (s *Statistics) Restore() {
	from := s.values
	for _, set := range s.sets {
		from = from[copy(set.Mean, from):]
		from = from[copy(set.Var, from):]
	}
}
