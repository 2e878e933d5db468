package rounding

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBestStep: the step that is found loses hardly more than the best of all that could have been tried, and less than
// the one that it began with. What it says of its loss is so, of weights in two blocks, too.
func TestBestStep(t *testing.T) {
	const n = 24
	for _, g := range []grid{{lo: -2, hi: 1}, {lo: -4, hi: 3}, {lo: -8, hi: 7}} {
		var own, found, least float64
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 9))
			c, matrices := twoBlocks(rng, 14, n)
			step := 2 / (g.hi + 1) // two standard deviations
			best, first := c.search([]*search{newSearch(c.weights, &g, step)})[0], newTrial(c.weights, &g, step)
			c.round([]*trial{first})
			all := math.Inf(1)
			for p := -farthest; p <= farthest; p++ {
				other := newTrial(c.weights, &g, step*float32(math.Pow(stepRatio, float64(p))))
				c.round([]*trial{other})
				all = min(all, other.loss)
			}
			own, found, least = own+first.loss, found+best.loss, least+all
			checkLoss(t, c, matrices, best)
		}
		t.Logf("codes up to %g: loss %.4g at the own step, %.4g at the one found, %.4g at the best", g.hi, own, found, least)
		if found > 0.95*own || found > 1.15*least {
			t.Errorf("codes up to %g: loss %g at the own step, %g at the one found, %g at the best", g.hi, own, found, least)
		}
	}
}

// TestSearchesTogether: searches of several grids and channels do not change each other.
func TestSearchesTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	c, _ := twoBlocks(rng, 11, 24)
	grids := []grid{{lo: -2, hi: 1}, {lo: -64, hi: 63}, {lo: -8, hi: 7}}
	var together []*search
	for _, weights := range [][]float32{c.weights, normal(rng, 24)} {
		for i := range grids {
			together = append(together, newSearch(weights, &grids[i], 2/(grids[i].hi+1)))
		}
	}
	for i, got := range c.choose(together) {
		g := together[i].grid
		s := newSearch(together[i].weights, g, together[i].own)
		want := c.choose([]*search{s})[0]
		if !slices.Equal(got.codes, want.codes) || got.step != want.step || got.loss != want.loss {
			t.Errorf("codes up to %g: %v at %g, alone %v at %g", g.hi, got.codes, got.step, want.codes, want.step)
		}
	}
}

// channel is an output channel by itself.
type channel struct {
	group
	weights []float32
}

// twoBlocks is a channel of n weights, the second block of which begins at from, and the second moments of the blocks.
func twoBlocks(rng *rand.Rand, from, n int) (*channel, [][]float64) {
	c := &channel{weights: normal(rng, n), group: group{blocks: []block{{0, from}, {from, n}}}}
	var matrices [][]float64
	for _, b := range c.blocks {
		m := correlated(rng, b.size())
		matrices, c.factors = append(matrices, m), append(c.factors, factor(m, b.size()))
	}
	return c, matrices
}

// checkLoss compares the loss of a trial with what its codes lose.
func checkLoss(t *testing.T, c *channel, matrices [][]float64, tr *trial) {
	t.Helper()
	if want := lossOf(c, matrices, tr); math.Abs(tr.loss-want) > 1e-3*want {
		t.Errorf("loss %g, codes %v lose %g", tr.loss, tr.codes, want)
	}
}

// lossOf is what the codes of a trial lose, damping included.
func lossOf(c *channel, matrices [][]float64, tr *trial) (loss float64) {
	for i, b := range c.blocks {
		w, codes, n := c.weights[b.from:b.to], tr.codes[b.from:b.to], b.size()
		loss += distance(matrices[i], w, tr.step, codes)
		var mean, square float64
		for k, v := range w {
			d := float64(v) - float64(tr.step)*float64(codes[k])
			mean, square = mean+matrices[i][k*(n+1)]/float64(n), square+d*d
		}
		loss += ridge * mean * square
	}
	return loss
}
