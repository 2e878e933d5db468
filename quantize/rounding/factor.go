package rounding

import (
	"cmp"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/kernel"
)

// damping is the share of the mean second moment that is added to all: inputs that were zero on all pictures, or follow from each
// other, would leave the weights on them undetermined.
const damping = 0.01

// factored is a matrix of second moments H as L*D*L^T with ones on the diagonal of L, rows and columns in order: the last weight
// is rounded first. The squared error of an output is then sum over k of D[k]*(e[k] + sum over j > k of L[j][k]*e[j])^2.
type factored struct {
	order    []int
	panels   []panel   // of L
	diagonal []float64 // of D
	matrix   []float32 // H, damped, row-major, not in order
}

// factor takes a matrix of n rows apart.
func factor(h []float64, n int) *factored {
	order := make([]int, n)
	var mean float64
	for i := range order {
		order[i] = i
		mean += h[i*n+i] / float64(n)
	}
	if !(mean > 0) {
		mean = 1 // nothing came in: every weight is by itself
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h[a*n+a], h[b*n+b]) }) // the weights that matter most are free to choose
	extra := damping * mean
	c := cholesky(h, n, order, extra)
	f := &factored{matrix: damped(h, n, extra), order: order, diagonal: make([]float64, n)}
	for from := 0; from < n; from += panelRows {
		p := newPanel(from, min(from+panelRows, n))
		for j := p.from; j < p.to; j++ {
			f.diagonal[j] = c[j][j] * c[j][j]
			rest, corner := p.row(j)
			for k := range j {
				if v := float32(c[j][k] / c[k][k]); k < from {
					rest[k] = v
				} else {
					corner[k-from] = v
				}
			}
		}
		f.panels = append(f.panels, p)
	}
	return f
}

// damped is h + extra*I.
func damped(h []float64, n int, extra float64) []float32 {
	out := make([]float32, n*n)
	for k, v := range h {
		if k%(n+1) == 0 {
			v += extra
		}
		out[k] = float32(v)
	}
	return out
}

// cholesky is the lower triangle C with C*C^T = h + extra*I, rows and columns of h in order.
func cholesky(h []float64, n int, order []int, extra float64) [][]float64 {
	c := make([][]float64, n)
	for i := range c {
		c[i] = make([]float64, i+1)
	}
	element := func(i, j int, dot float64) { // from that of rows i and j so far
		v := h[order[i]*n+order[j]]
		if i == j {
			c[i][i] = math.Sqrt(max(v+extra-dot, extra/2)) // rounding may have taken more than there was
			return
		}
		c[i][j] = (v - dot) / c[j][j]
	}
	for first := 0; first < n; first += 4 {
		end, side := min(first+4, n), 0
		if end == first+4 { // four rows side by side, up to where they depend on each other
			side = first
		}
		for j := range side {
			for r, dot := range kernel.Dots64(&[4][]float64{c[first], c[first+1], c[first+2], c[first+3]}, c[j][:j]) {
				element(first+r, j, dot)
			}
		}
		for i := first; i < end; i++ {
			for j := side; j <= i; j++ {
				element(i, j, kernel.Dot64(c[i], c[j][:j]))
			}
		}
	}
	return c
}
