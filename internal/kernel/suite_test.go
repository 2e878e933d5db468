package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// eachISA runs a test on every implementation this machine has: one compliance suite for all of them.
func eachISA(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, isa := range Available() {
		t.Run(isa.String(), func(t *testing.T) {
			restore, err := Override(isa)
			if err != nil {
				t.Fatal(err)
			}
			defer restore()
			f(t)
		})
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 17)) }

func normals(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

const (
	canary   = float32(-12345.678)
	guardLen = 40
)

// guarded is a slice of n floats between canaries, starting at an odd address so that no kernel can rely on alignment.
type guarded struct {
	all   []float32
	start int
	n     int
}

func newGuarded(n, misalign int) guarded {
	g := guarded{make([]float32, n+2*guardLen+misalign), guardLen + misalign, n}
	for i := range g.all {
		g.all[i] = canary
	}
	return g
}

func (g guarded) data() []float32 { return g.all[g.start : g.start+g.n : g.start+g.n] }

func (g guarded) check(t *testing.T) {
	t.Helper()
	for i, v := range g.all {
		if (i < g.start || i >= g.start+g.n) && v != canary {
			t.Fatalf("wrote %v outside the slice, at %d of [0,%d)", v, i-g.start, g.n)
		}
	}
}

func guardedCopy(x []float32, misalign int) guarded {
	g := newGuarded(len(x), misalign)
	copy(g.data(), x)
	return g
}

// close32 compares with a tolerance relative to scale, the magnitude of what was summed.
func close32(got float32, want, scale, tol float64) bool {
	if math.IsNaN(want) {
		return got != got
	}
	if math.IsInf(want, 0) {
		return float64(got) == want
	}
	return math.Abs(float64(got)-want) <= tol*(scale+1e-30)
}

// sameBits says whether two slices are equal bit by bit, all NaN being one value.
func sameBits(a, b []float32) error {
	if len(a) != len(b) {
		return fmt.Errorf("length %d, want %d", len(a), len(b))
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return fmt.Errorf("element %d of %d: got %v (%#x), want %v (%#x)", i, len(a), a[i], math.Float32bits(a[i]), b[i], math.Float32bits(b[i]))
		}
	}
	return nil
}

// stopwatch keeps the times of one of several things that take turns.
type stopwatch struct{ seconds []float64 }

func (w *stopwatch) time(f func()) {
	start := time.Now()
	f()
	w.seconds = append(w.seconds, time.Since(start).Seconds())
}

func (w *stopwatch) median() float64 {
	s := slices.Sorted(slices.Values(w.seconds))
	return s[len(s)/2]
}
