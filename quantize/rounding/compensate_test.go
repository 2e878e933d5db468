package rounding

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRoundIndependent: inputs that have nothing to do with each other leave every weight to itself.
func TestRoundIndependent(t *testing.T) {
	f := factor([]float64{3, 0, 0, 0, 1, 0, 0, 0, 2}, 3)
	codes := at(f, []float32{0.6, -1.4, 7}, 1, -2, 1).codes
	if want := []int8{1, -1, 1}; !slices.Equal(codes, want) {
		t.Errorf("codes %v, the nearest are %v", codes, want)
	}
}

// TestRoundTwins: of two weights that read the same, the second makes up for the first; and one that no input ever
// reaches is rounded to the nearest.
func TestRoundTwins(t *testing.T) {
	f := factor([]float64{1, 0, 1, 0, 0, 0, 1, 0, 1}, 3)
	codes := at(f, []float32{0.4, 0.7, 0.4}, 1, -8, 7).codes
	if codes[0]+codes[2] != 1 || codes[1] != 1 {
		t.Errorf("codes %v: 0.4 and 0.4 make 0.8, so one of them is 1, and 0.7 is 1", codes)
	}
}

// TestRoundBesideBest compares with the nearest codes, and with the best of all.
func TestRoundBesideBest(t *testing.T) {
	const n, lo, hi = 5, -2, 1
	var nearest, chosen, best float64
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		h, w := correlated(rng, n), normal(rng, n)
		codes := at(factor(h, n), w, 1, lo, hi).codes
		chosen += distance(h, w, 1, codes)
		for i, v := range w {
			codes[i] = int8(min(max(math.RoundToEven(float64(v)), lo), hi))
		}
		nearest += distance(h, w, 1, codes)
		least := math.Inf(1)
		for k := range 1 << (2 * n) {
			for i := range codes {
				codes[i] = int8(k>>(2*i)&3) + lo
			}
			least = min(least, distance(h, w, 1, codes))
		}
		best += least
	}
	t.Logf("squared error: nearest %.2f, compensated %.2f, best %.2f", nearest, chosen, best)
	if chosen > 0.6*nearest || chosen < best {
		t.Errorf("squared error %.2f, of nearest codes %.2f, of the best %.2f", chosen, nearest, best)
	}
}

// TestFactor: L*D*L^T is the matrix in order, with what damping adds; L has three panels.
func TestFactor(t *testing.T) {
	const n = 2*panelRows + 7
	h := correlated(rand.New(rand.NewPCG(5, 5)), n)
	var mean float64
	for i := range n {
		mean += h[i*n+i] / n
	}
	f := factor(h, n)
	c := cholesky(h, n, f.order, ridge*mean)
	for i := range n {
		for j := range i + 1 {
			var sum float64
			for k := range j + 1 {
				unit := func(r int) float64 { // row r of L
					if r == k {
						return 1
					}
					return float64(f.lower(r, k))
				}
				sum += unit(i) * c[k][k] * c[k][k] * unit(j)
			}
			want := h[f.order[i]*n+f.order[j]]
			if i == j {
				want += ridge * mean
			}
			if math.Abs(sum-want) > 1e-5*mean {
				t.Errorf("element %d, %d is %g, want %g", i, j, sum, want)
			}
		}
	}
	for k := 1; k < n; k++ {
		if h[f.order[k]*(n+1)] < h[f.order[k-1]*(n+1)] {
			t.Errorf("order %v: what matters most comes last", f.order)
		}
	}
}

// lower is an element of L in front of the diagonal.
func (f *factored) lower(j, k int) float32 {
	p := &f.panels[j/panelRows]
	rest, corner := p.row(j)
	if k < p.from {
		return rest[k]
	}
	return corner[k-p.from]
}

// correlated are second moments of inputs that share some causes.
func correlated(rng *rand.Rand, n int) []float64 {
	h := make([]float64, n*n)
	for range 3 * n {
		x, common := normal(rng, n), rng.NormFloat64()
		for i := range n {
			for j := range n {
				h[i*n+j] += (float64(x[i])/2 + common) * (float64(x[j])/2 + common)
			}
		}
	}
	return h
}

// at rounds all weights of an output channel, which are one block.
func at(f *factored, w []float32, step, lo, hi float32) *trial {
	t := newTrial(w, &grid{lo: lo, hi: hi}, step)
	f.round(block{0, len(w)}, []*trial{t})
	return t
}

// distance is what rounding does to the output.
func distance(h []float64, w []float32, step float32, codes []int8) float64 {
	var sum float64
	for i := range w {
		for j := range w {
			sum += (float64(w[i]) - float64(step)*float64(codes[i])) * h[i*len(w)+j] * (float64(w[j]) - float64(step)*float64(codes[j]))
		}
	}
	return sum
}
