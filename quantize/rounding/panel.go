package rounding

import "github.com/mpqc/mpqc/internal/kernel"

// panelRows is the number of rows of L whose errors are applied to the earlier weights together.
const panelRows = 16

// panel holds rows [from, to) of L, left of the diagonal.
type panel struct {
	from, to int
	corner   [panelRows][panelRows]float32 // columns [from, to)
	rest     []float32                     // columns [0, from): [to-from, from], the last row first
}

// newPanel returns a panel of zeros.
func newPanel(from, to int) panel {
	return panel{from: from, to: to, rest: make([]float32, (to-from)*from)}
}

// row returns row k in two parts: columns [0, from) and columns [from, k). Both alias the panel.
func (p *panel) row(k int) (rest, corner []float32) {
	at := (p.to - 1 - k) * p.from
	return p.rest[at : at+p.from], p.corner[k-p.from][:k-p.from]
}

// pieceWidth is the number of columns that are updated at a time. With 16 rows they take 16 kB and stay in the
// processor's fastest cache.
const pieceWidth = 256

// addRows computes y[i] += sum_r a[i][r]*x[r*stride : r*stride+len(y[i])] for all i.
func addRows(a [][]float32, x []float32, stride int, y [][]float32) {
	if len(y) == 0 {
		return
	}
	for at := 0; at < len(y[0]); at += pieceWidth {
		end := min(at+pieceWidth, len(y[0]))
		for i := range a {
			kernel.AxpyRows(a[i], x[at:], stride, y[i][at:end])
		}
	}
}
