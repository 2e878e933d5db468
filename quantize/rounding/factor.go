package rounding

import (
	"cmp"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/kernel"
)

// ridge is the share of the mean diagonal element that is added to the diagonal of the moments. Without it, weights on
// inputs that were always zero, or that depend on other inputs, would be undetermined. GPTQ calls this dampening.
const ridge = 0.01

// factored is the factorisation H = L*D*L^T of a matrix of second moments, with ones on the diagonal of L.
//
// Rows and columns are permuted by order, and the last of them is rounded first. With rounding errors e, the squared
// error of the output is sum_k D[k]*(e[k] + sum_{j>k} L[j][k]*e[j])^2.
type factored struct {
	order    []int
	panels   []panel   // the rows of L
	diagonal []float64 // D
	matrix   []float32 // H with the ridge, row-major, in the original order
}

// factor factors a matrix h of n rows. Weights with the largest diagonal elements come last in the order. They are
// rounded first and have the free choice, because they matter most.
func factor(h []float64, n int) *factored {
	order := make([]int, n)
	var mean float64
	for i := range order {
		order[i] = i
		mean += h[i*n+i] / float64(n)
	}
	if !(mean > 0) {
		mean = 1 // all inputs were 0: every weight is rounded by itself
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h[a*n+a], h[b*n+b]) })
	extra := ridge * mean
	c := cholesky(h, n, order, extra)
	f := &factored{matrix: withRidge(h, n, extra), order: order, diagonal: make([]float64, n)}
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

// withRidge returns h + extra*I for h [n, n].
func withRidge(h []float64, n int, extra float64) []float32 {
	out := make([]float32, n*n)
	for k, v := range h {
		if k%(n+1) == 0 {
			v += extra
		}
		out[k] = float32(v)
	}
	return out
}

// cholesky returns the rows of the lower triangle C with C*C^T = h + extra*I, rows and columns of h [n, n] permuted by
// order.
func cholesky(h []float64, n int, order []int, extra float64) [][]float64 {
	c := make([][]float64, n)
	for i := range c {
		c[i] = make([]float64, i+1)
	}
	element := func(i, j int, dot float64) { // dot: of rows i and j up to column j
		v := h[order[i]*n+order[j]]
		if i == j {
			c[i][i] = math.Sqrt(max(v+extra-dot, extra/2)) // float rounding may have left less than the ridge
			return
		}
		c[i][j] = (v - dot) / c[j][j]
	}
	for first := 0; first < n; first += 4 {
		end, side := min(first+4, n), 0
		if end == first+4 { // four rows side by side, up to the columns where they depend on each other
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
