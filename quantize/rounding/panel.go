package rounding

import "github.com/mpqc/mpqc/internal/kernel"

// panelRows is the number of rows of L that move the weights in front of them together.
const panelRows = 16

// panel are some rows of L in front of the diagonal.
type panel struct {
	from, to int
	corner   [panelRows][panelRows]float32 // what lies between from and to
	rest     []float32                     // what lies in front of that, [to-from, from], the last row first
}

// newPanel is one of zeros.
func newPanel(from, to int) panel {
	return panel{from: from, to: to, rest: make([]float32, (to-from)*from)}
}

// row is row k, in two parts.
func (p *panel) row(k int) (rest, corner []float32) {
	at := (p.to - 1 - k) * p.from
	return p.rest[at : at+p.from], p.corner[k-p.from][:k-p.from]
}

// pieceWidth is the width of a piece of 16 rows, 16 kB, which stays in a processor's fastest cache.
const pieceWidth = 256

// addRows adds rows of a matrix x, multiplied by a[i], to y[i], for all i. Rows are stride apart; what is taken of them is as long as y[i].
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
