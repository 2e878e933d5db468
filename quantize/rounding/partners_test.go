package rounding

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// TestPartners: chosen codes cannot saturate where those without bounds can, blocks of weights and what comes after
// refining included; and they lose less than those at twice the step.
func TestPartners(t *testing.T) {
	const n = 24
	l := quantize.Layer{Shape: tensor.Shape{1, n / 4, 2, 2}}
	var free, bounded, halved float64
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		c, matrices := twoBlocks(rng, 11, n)
		var top float32
		for _, w := range c.weights {
			top = max(top, w, -w)
		}
		without, with := grid{lo: -128, hi: 127}, grid{lo: -128, hi: 127, partners: quantize.Partners(l.Shape, 0, quantize.PairedFlat)}
		twice := newTrial(c.weights, &without, top/63)
		c.round([]*trial{twice})
		c.refine([]*trial{twice})
		got := c.choose([]*search{newSearch(c.weights, &without, top/127), newSearch(c.weights, &with, top/127)})
		if worst := quantize.WorstPairs(got[1].codes, l.Shape, 0, quantize.PairedFlat)[0]; worst > quantize.PairLimit {
			t.Errorf("seed %d: codes %v add up to %d", seed, got[1].codes, worst)
		}
		checkLoss(t, c, matrices, got[1])
		free, bounded, halved = free+got[0].loss, bounded+got[1].loss, halved+twice.loss
	}
	t.Logf("loss %.4g without bounds, %.4g with them, %.4g at twice the step", free, bounded, halved)
	if bounded > 0.7*halved || bounded < free {
		t.Errorf("loss %g without bounds, %g with them, %g at twice the step", free, bounded, halved)
	}
}

// TestPartnerBounds: codes of the same sign bound each other.
func TestPartnerBounds(t *testing.T) {
	p := partners(quantize.Partners(tensor.Shape{1, 5}, 0, quantize.PairedFlat))
	for _, tt := range []struct {
		codes []int8
		k     int
		want  []float32
	}{
		{[]int8{0, 0, 0, 0, 0}, 1, []float32{-128, 127}},
		{[]int8{100, 0, 90, 0, 0}, 1, []float32{-128, 28}},
		{[]int8{-100, 0, 20, 0, 0}, 1, []float32{-28, 127}},
		{[]int8{0, 0, 0, 90, 0}, 2, []float32{-128, 38}},
		{[]int8{0, -128, 0, 0, 0}, 0, []float32{0, 127}},
		{[]int8{100, 100, 100, 100, 0}, 4, []float32{-128, 127}},
	} {
		lo, hi := p.bounds(tt.codes, tt.k, -128, 127)
		if !slices.Equal([]float32{lo, hi}, tt.want) {
			t.Errorf("code %d of %v lies from %g to %g, want %v", tt.k, tt.codes, lo, hi, tt.want)
		}
	}
}
