package kernel

import "testing"

// TestAxpyRows: to the bit what Axpy gives row by row, in rows side by side, apart, and overlapping.
func TestAxpyRows(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, n := range append(lengths(), 128, 144, 257) {
			for _, rows := range []int{0, 1, 2, 7, 16} {
				for _, stride := range []int{n, n + 3, 1} {
					a, y := mixed(rows, 3), mixed(n, uint64(n))
					x := mixed(max(rows-1, 0)*stride+n, uint64(n)+1)
					ga, gx, gy := guardedCopy(a, rows%3), guardedCopy(x, n%5), guardedCopy(y, n%7)
					AxpyRows(ga.data(), gx.data(), stride, gy.data())
					for r, v := range a {
						axpyGo(v, x[r*stride:r*stride+n], y)
					}
					if err := sameBits(gy.data(), y); err != nil {
						t.Fatalf("%d rows of %d, %d apart: %v", rows, n, stride, err)
					}
					ga.check(t)
					gx.check(t)
					gy.check(t)
				}
			}
		}
	})
}

// TestAxpyRowsShort: x that ends before the last row is refused before anything is read.
func TestAxpyRowsShort(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("three rows were taken from an x of two")
		}
	}()
	AxpyRows(make([]float32, 3), make([]float32, 40), 20, make([]float32, 20))
}
