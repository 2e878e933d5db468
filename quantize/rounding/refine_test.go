package rounding

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestRefine: codes lose less than before, none can be changed for the better any more, and the loss is what is said of
// it.
func TestRefine(t *testing.T) {
	const n = 30
	var before, after float64
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		c, matrices := twoBlocks(rng, 17, n)
		tr := newTrial(c.weights, &grid{lo: -2, hi: 1}, 1)
		c.round([]*trial{tr})
		before += tr.loss
		c.refine([]*trial{tr})
		after += tr.loss
		checkLoss(t, c, matrices, tr)
		for k, code := range tr.codes {
			for other := int8(-2); other <= 1; other++ {
				tr.codes[k] = other
				if loss := lossOf(c, matrices, tr); loss < tr.loss*(1-1e-4) {
					t.Errorf("seed %d: code %d of weight %d loses %g, %d would lose %g", seed, code, k, tr.loss, other, loss)
				}
			}
			tr.codes[k] = code
		}
	}
	t.Logf("loss %.4g, refined %.4g", before, after)
	if after > 0.95*before {
		t.Errorf("loss %g, refined %g", before, after)
	}
}

// TestRefineExtremes: where nothing was read, and where the slope is beyond all codes or no number, codes stay in their
// range.
func TestRefineExtremes(t *testing.T) {
	g := group{blocks: []block{{0, 3}}, factors: []*factored{factor(make([]float64, 9), 3)}}
	tr := g.choose([]*search{newSearch([]float32{100, -100, 0.4}, &grid{lo: -2, hi: 1}, 1)})[0]
	for k, code := range tr.codes {
		if code < -2 || code > 1 {
			t.Errorf("code %d of weight %d", code, k)
		}
	}
	still := &trial{step: 1e-30, lo: -2, hi: 1, codes: []int8{1, -2}}
	r := refinement{h: []float32{0, 0, 0, 0}, t: still, block: block{0, 2}, slope: []float32{0, float32(math.NaN())}}
	if r.pass() || still.codes[0] != 1 || still.codes[1] != -2 {
		t.Errorf("codes %v without moments", still.codes)
	}
	if tr.codes[0] != 1 || tr.codes[1] != -2 || math.IsNaN(tr.loss) {
		t.Errorf("codes %v, loss %g", tr.codes, tr.loss)
	}
}
