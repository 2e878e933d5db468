package kernel

import "fmt"

// AxpyRows computes y[i] += a[r]*x[r*stride+i] for every row r of x, one after the other, each product rounded: what
// Axpy of each row gives, while y is read and written once.
func AxpyRows(a, x []float32, stride int, y []float32) {
	if len(a) == 0 || len(y) == 0 {
		return
	}
	if stride < 0 || len(x) < (len(a)-1)*stride+len(y) {
		panic(fmt.Sprintf("kernel: AxpyRows: %d rows of %d, %d apart, in %d elements", len(a), len(y), stride, len(x)))
	}
	n := axpyRowsArch(a, x, stride, y)
	for r, v := range a {
		axpyGo(v, x[r*stride+n:r*stride+len(y)], y[n:])
	}
}
