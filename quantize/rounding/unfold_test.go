package rounding

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/testkit"
)

// TestUnfold: weights times columns are the convolution.
func TestUnfold(t *testing.T) {
	for _, s := range []kernel.ConvShape{
		{C: 3, H: 5, W: 7, K: 4, R: 3, S: 3, StrideH: 1, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 1, DilH: 1, DilW: 1, Groups: 1, OH: 5, OW: 7},
		{C: 4, H: 6, W: 6, K: 6, R: 3, S: 2, StrideH: 2, StrideW: 1, PadT: 0, PadL: 1, PadB: 1, PadR: 0, DilH: 1, DilW: 1, Groups: 2, OH: 3, OW: 6},
		{C: 5, H: 9, W: 8, K: 5, R: 3, S: 3, StrideH: 1, StrideW: 1, PadT: 2, PadL: 2, PadB: 2, PadR: 2, DilH: 2, DilW: 2, Groups: 5, OH: 9, OW: 8},
		{C: 6, H: 4, W: 4, K: 3, R: 1, S: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1, OH: 4, OW: 4},
		{C: 6, H: 5, W: 5, K: 3, R: 1, S: 1, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, Groups: 1, OH: 3, OW: 3},
	} {
		s.N = 1
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			x, w := normal(rng, s.C*s.H*s.W), normal(rng, s.K*s.C/s.Groups*s.R*s.S)
			c := kernel.NewConv(s)
			want, got := make([]float32, s.K*s.OH*s.OW), make([]float32, s.K*s.OH*s.OW)
			c.Forward(nil, x, w, want, make([]float32, c.Scratch(1)))
			weights, positions, rows := s.C/s.Groups*s.R*s.S, s.OH*s.OW, s.K/s.Groups
			columns := make([]float32, weights*positions)
			for g := range s.Groups {
				unfold(columns, x, s, g)
				kernel.Gemm(nil, false, false, rows, positions, weights, 1, w[g*rows*weights:], weights, columns, positions, 0, got[g*rows*positions:], positions)
			}
			testkit.Close(t, "output", got, want, 1e-5)
		})
	}
}

func normal(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
