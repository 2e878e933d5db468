package kernel

import "github.com/mpqc/mpqc/internal/par"

// IntGemm is the product C = A*op(B) of matrices on grids, computed as [IntConv] does: A is m x k with one step, op(B)
// k x n with a step per column. It is a 1x1 convolution with the rows of A as pixels.
type IntGemm struct {
	conv    *IntConv
	m, n, k int

	a, c, at, ct       []float32
	turnTask, backTask func(i int)
}

// turnWidth is the number of columns that a task transposes.
const turnWidth = 64

// NewIntGemm prepares the product with a signed or unsigned A for at most that many threads.
func NewIntGemm(m, n, k int, signed bool, threads int) *IntGemm {
	s := ConvShape{N: 1, C: k, H: 1, W: m, K: n, R: 1, S: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1, OH: 1, OW: m}
	g := &IntGemm{conv: NewIntConv(s, signed, threads), m: m, n: n, k: k}
	g.turnTask = func(i int) {
		lo, hi := i*turnWidth, min((i+1)*turnWidth, k)
		transpose(g.at[lo*m:], m, g.a[lo:], k, m, hi-lo)
	}
	g.backTask = func(i int) {
		lo, hi := i*turnWidth, min((i+1)*turnWidth, m)
		transpose(g.c[lo*n:], n, g.ct[lo:], m, n, hi-lo)
	}
	return g
}

// Scratch is the number of floats of working memory that Forward wants.
func (g *IntGemm) Scratch() int {
	return roundUp(g.m*g.k, line) + roundUp(g.m*g.n, line) + g.conv.Scratch() + 2*line
}

// Weights takes over B on its grid: n x k if trans, else k x n. step counts n.
func (g *IntGemm) Weights(pool *par.Pool, b, step []float32, trans bool) {
	if trans {
		g.conv.Weights(pool, b, step, g.k, 1)
	} else {
		g.conv.Weights(pool, b, step, 1, g.n)
	}
}

// Offset is that of [IntConv].
func (g *IntGemm) Offset(zero int) { g.conv.Offset(zero) }

// Forward computes C, row-major without gaps, from such an A.
func (g *IntGemm) Forward(pool *par.Pool, a []float32, stepA float32, c, scratch []float32) {
	if len(a) < g.m*g.k || len(c) < g.m*g.n {
		panic("kernel: IntGemm: short slice")
	}
	ar := newArena(scratch, g.Scratch())
	g.a, g.c, g.at, g.ct = a, c, ar.take(g.m*g.k), ar.take(g.m*g.n)
	pool.Run((g.k+turnWidth-1)/turnWidth, g.turnTask)
	g.conv.Forward(pool, g.at, stepA, g.ct, ar.take(g.conv.Scratch()))
	pool.Run((g.m+turnWidth-1)/turnWidth, g.backTask)
	g.a, g.c, g.at, g.ct = nil, nil, nil, nil
}
