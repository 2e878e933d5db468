package kernel

import (
	"math"
	"math/big"
	"testing"
)

// TestDots64: four at a time to the bit what each is alone, and that near the exact sum.
func TestDots64(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range lengths() {
			rng := newRand(uint64(n))
			random := func(n int) []float64 {
				v := make([]float64, n)
				for i := range v {
					v[i] = rng.NormFloat64()
				}
				return v
			}
			y := random(n)
			x := [4][]float64{random(n), random(n + 3), random(n), random(n + 1)[1:]}
			for r, got := range Dots64(&x, y) {
				if want := Dot64(x[r], y); math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("n=%d, row %d: %g, alone %g", n, r, got, want)
				}
				exact, scale := new(big.Float).SetPrec(2000), 0.0
				for i, v := range y {
					exact.Add(exact, new(big.Float).Mul(big.NewFloat(v).SetPrec(2000), big.NewFloat(x[r][i])))
					scale += math.Abs(v * x[r][i])
				}
				if want, _ := exact.Float64(); math.Abs(got-want) > 1e-14*scale {
					t.Fatalf("n=%d, row %d: %g, exactly %g", n, r, got, want)
				}
			}
		}
	})
}

// TestDots64Short: a row that is shorter than y is refused before anything is read.
func TestDots64Short(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a row of three was taken for four")
		}
	}()
	Dots64(&[4][]float64{make([]float64, 4), make([]float64, 4), make([]float64, 3), make([]float64, 4)}, make([]float64, 4))
}
