package rounding

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/kernel"
)

// pointwise is a convolution whose input is what its weights multiply.
func pointwise(n, channels, size int) kernel.ConvShape {
	return kernel.ConvShape{
		N: n, C: channels, H: 1, W: size, K: 1, R: 1, S: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1, OH: 1, OW: size,
	}
}

// TestCentredMoments: behind a norm they are about the mean, also where later samples move that, and samples that are
// all alike leave nothing to chance; few weights and many, whose products are taken in other ways.
func TestCentredMoments(t *testing.T) {
	for _, channels := range []int{3, fewWeights, fewWeights + 5} {
		const size = 8
		rng := rand.New(rand.NewPCG(1, 1))
		x := normal(rng, channels*size)
		for i := range x {
			x[i] += float32(1 + i/size) // means of 1, 2, 3 and so on
		}
		m := newMoments(1, channels, true)
		for range 4 {
			m.addConv(pointwise(1, channels, size), x)
		}
		got := m.matrix(0, 0)
		for i := range channels {
			for j := range channels {
				var ij, a, b float64
				for p := range size {
					u, v := float64(x[i*size+p]), float64(x[j*size+p])
					ij, a, b = ij+u*v, a+u, b+v
				}
				if want := 4 * (ij - a*b/size); math.Abs(got[i*channels+j]-want) > 1e-3 {
					t.Errorf("%d channels: element %d, %d is %g, want %g", channels, i, j, got[i*channels+j], want)
				}
			}
		}
	}
}

// TestMomentsAfterDrift: the centre is that of all samples, not of the first ones.
func TestMomentsAfterDrift(t *testing.T) {
	m := newMoments(1, 2, true)
	m.addConv(pointwise(1, 2, 2), []float32{0, 2, 0, 0})
	m.addConv(pointwise(1, 2, 2), []float32{10, 12, 0, 0})
	// 0, 2, 10, 12 about 6
	if got := m.matrix(0, 0); math.Abs(got[0]-104) > 1e-9 || got[3] != 0 {
		t.Errorf("matrix %v, want 104 first and 0 last", got)
	}
}

// TestChance: products that only chance makes differ from nothing are taken away; those that every sample has stay,
// but for somewhat more than the share that is chance, which is 0.027 of the largest here; where it is a fifth,
// something of them stays, too.
func TestChance(t *testing.T) {
	for _, tt := range []struct {
		common   float64
		from, to float64 // share that is left off the diagonal
	}{{0, 0, 0.05}, {0.6, 0.3, 0.6}, {3, 0.95, 0.97}} {
		rng := rand.New(rand.NewPCG(2, 2))
		m := newMoments(1, 40, false)
		var plain float64
		for range 64 {
			x, shared := normal(rng, 40), float32(tt.common*rng.NormFloat64())
			for i := range x {
				x[i] += shared
			}
			m.addRows(x, 1)
		}
		plain = m.sums[0][1]
		if left := m.matrix(0, 0)[1] / plain; left < tt.from || left > tt.to {
			t.Errorf("common part %g: %.3f is left, want %g to %g", tt.common, left, tt.from, tt.to)
		}
	}
}

// TestFinite: moments that float32 does not hold are found, in any block.
func TestFinite(t *testing.T) {
	for v, want := range map[float32]bool{1e18: true, 1e20: false, float32(math.Inf(-1)): false, float32(math.NaN()): false} {
		m := newMoments(1, maxBlock+2, false)
		x := make([]float32, maxBlock+2)
		x[len(x)-1] = v
		m.addRows(x, 1)
		if m.finite() != want {
			t.Errorf("%g: finite %t", v, !want)
		}
	}
}

// TestMomentsApart: weights that are too many are taken apart, none is lost.
func TestMomentsApart(t *testing.T) {
	const weights = 2*maxBlock + 1
	m := newMoments(1, weights, false)
	at := 0
	for _, b := range m.blocks {
		if b.from != at || b.size() > maxBlock || b.size() == 0 {
			t.Fatalf("blocks %v", m.blocks)
		}
		at = b.to
	}
	if at != weights {
		t.Errorf("blocks end at %d of %d", at, weights)
	}
}
