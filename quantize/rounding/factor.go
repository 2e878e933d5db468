package rounding

import (
	"cmp"
	"math"
	"slices"
)

// damping is the share of the mean second moment that is added to all: inputs that were zero on all pictures, or follow from each
// other, would leave the weights on them undetermined.
const damping = 0.01

// factored is a matrix of second moments H as L*D*L^T with ones on the diagonal of L, rows and columns in order: the last weight
// is rounded first. The squared error of an output is then sum over k of D[k]*(e[k] + sum over j > k of L[j][k]*e[j])^2.
type factored struct {
	order    []int
	lower    [][]float32 // lower[j] is row j of L in front of the diagonal
	diagonal []float64   // of D
	matrix   []float32   // H, damped, row-major, not in order
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
	f := &factored{matrix: damped(h, n, extra), order: order, lower: make([][]float32, n), diagonal: make([]float64, n)}
	for j := range n {
		f.lower[j], f.diagonal[j] = make([]float32, j), c[j][j]*c[j][j]
		for k := range j {
			f.lower[j][k] = float32(c[j][k] / c[k][k])
		}
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
	for i := range n {
		c[i] = make([]float64, i+1)
		for j := range i + 1 {
			sum := h[order[i]*n+order[j]]
			if i == j {
				sum += extra
			}
			sum -= dot(c[i][:j], c[j][:j])
			if i == j {
				c[i][i] = math.Sqrt(max(sum, extra/2)) // rounding may have taken more than there was
				continue
			}
			c[i][j] = sum / c[j][j]
		}
	}
	return c
}

// dot has four sums in flight.
func dot(x, y []float64) float64 {
	var a, b, c, d float64
	y = y[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a += x[i] * y[i]
		b += x[i+1] * y[i+1]
		c += x[i+2] * y[i+2]
		d += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		a += x[i] * y[i]
	}
	return (a + b) + (c + d)
}
