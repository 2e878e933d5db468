package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// RebaseNorms replaces the running statistics of all norms by those of policy q in s, and changes gamma and beta so
// that the norms compute the same function as before. Every set of a layer gets the same statistics, each [channels];
// see Norms.
//
// It is an error if s lacks an array or if one has another length.
func (n *Network) RebaseNorms(q quantize.Policy, s *quantize.Supernet) error {
	for i := range n.layers {
		norm := n.layers[i].norm
		if norm == nil {
			continue
		}
		w, a := n.Plan.Bits(q, i)
		node := n.Plan.Layers[i].Node
		mean, err := s.Get(quantize.NormName(node, w, a, "mean"))
		if err != nil {
			return fmt.Errorf("anchor norms: %w", err)
		}
		variance, err := s.Get(quantize.NormName(node, w, a, "var"))
		if err != nil {
			return fmt.Errorf("anchor norms: %w", err)
		}
		for _, set := range norm.sets {
			if len(mean) != len(set.Mean) || len(variance) != len(set.Var) {
				return fmt.Errorf("anchor norms: layer %q has %d channels, the statistics %d", node, len(set.Mean), len(mean))
			}
			set.rebase(mean, variance, float64(norm.EPS))
		}
	}
	return nil
}

// rebase sets the statistics of one set and keeps gamma/sqrt(var+EPS) and beta - gamma*mean/sqrt(var+EPS) as they are.
func (s *NormSet) rebase(mean, variance []float32, eps float64) {
	for k := range mean {
		from, to := math.Sqrt(float64(s.Var[k])+eps), math.Sqrt(float64(variance[k])+eps)
		gamma := float64(s.Gamma.Data[k])
		s.Beta.Data[k] = float32(float64(s.Beta.Data[k]) + gamma*(float64(mean[k])-float64(s.Mean[k]))/from)
		s.Gamma.Data[k] = float32(gamma * to / from)
		s.Mean[k], s.Var[k] = mean[k], variance[k]
	}
}
