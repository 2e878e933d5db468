package kernel

import (
	"testing"

	"github.com/mpqc/mpqc/internal/par"
)

func TestIntGemm(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for m := 1; m <= 67; m += 1 + m/6 {
			for n := 1; n <= 67; n += 1 + n/4 {
				checkIntGemm(t, pool, m, n, 1+(m*7+n*3)%67, (m+n)%2 == 0, n%2 == 0)
			}
		}
		checkIntGemm(t, pool, 70, 200, 513, true, true)
		checkIntGemm(t, pool, 130, 30, 200, false, false)
	})
}

// checkIntGemm takes the numbers of a convolution that reads each element of its input once.
func checkIntGemm(t *testing.T, pool *par.Pool, m, n, k int, trans, signed bool) {
	t.Helper()
	d := newIntData(withPads(square(m, k, n, 1, 1, 1, 0, 1, 1), 1, 1, 0, 0, 0, 0), signed, uint64(m*n))
	w := d.w
	if !trans {
		w = make([]float32, len(d.w))
		transposeGo(w, n, d.w, k, n, k)
	}
	g := NewIntGemm(m, n, k, signed, pool.Threads())
	g.Weights(pool, guardedCopy(w, 1).data(), d.stepW, trans)
	scratch, c := newGuarded(g.Scratch(), 3), newGuarded(m*n, 1)
	g.Forward(pool, guardedCopy(d.x, 2).data(), d.stepX, c.data(), scratch.data())
	scratch.check(t)
	c.check(t)
	if err := sameBits(c.data(), d.y); err != nil {
		t.Fatalf("m=%d n=%d k=%d trans %v signed %v: %v", m, n, k, trans, signed, err)
	}
}
