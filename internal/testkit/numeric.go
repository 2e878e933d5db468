package testkit

import (
	"math"
	"testing"
)

// CentralDifferences is the numerical gradient of f with respect to the elements of x, by steps of h to both sides.
// f must read x anew at each call. Elements closer than h to a kink of f give nonsense.
func CentralDifferences(f func() float64, x []float32, h float32) []float64 {
	g := make([]float64, len(x))
	for i, keep := range x {
		x[i] = keep + h
		up, hi := f(), float64(x[i])
		x[i] = keep - h
		down, lo := f(), float64(x[i])
		x[i] = keep
		g[i] = (up - down) / (hi - lo)
	}
	return g
}

// Close fails the test where got and want differ by more than tol times the larger of 1 and the largest magnitude in
// want; NaN never is close. It reports the worst element.
func Close[A, B float32 | float64](t testing.TB, what string, got []A, want []B, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, %d wanted", what, len(got), len(want))
		return
	}
	scale, worst, at := 1.0, 0.0, -1
	for _, v := range want {
		scale = max(scale, math.Abs(float64(v)))
	}
	for i := range want {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if d > worst || math.IsNaN(d) {
			worst, at = d, i
		}
		if math.IsNaN(d) {
			break
		}
	}
	if !(worst <= tol*scale) {
		t.Errorf("%s: element %d of %d is %g, %g wanted (off by %g, tolerance %g)", what, at, len(want), got[at], want[at], worst, tol*scale)
	}
}
