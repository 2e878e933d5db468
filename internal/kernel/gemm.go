package kernel

import (
	"sync"

	"github.com/mpqc/mpqc/internal/par"
)

// Cache blocks of the matrix product: a packed panel of A (14 x gemmK) stays in L1, a block of A (gemmM x gemmK) and
// one of B (gemmK x gemmN) in L2 and L3. The optimum is flat.
const (
	gemmM = 1024
	gemmK = 384
	gemmN = 1024
	// serialWork is the number of multiply-adds below which handing work to another core costs more than it saves.
	serialWork = 1 << 18
)

// Gemm computes
//
//	C = alpha*op(A)*op(B) + beta*C
//
// row-major, with op(A) m x k and op(B) k x n; op transposes where the flag says. C is not read if beta is 0.
func Gemm(pool *par.Pool, transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkMatrix("Gemm: A", transA, m, k, a, lda)
	checkMatrix("Gemm: B", transB, k, n, b, ldb)
	checkMatrix("Gemm: C", false, m, n, c, ldc)
	if m == 0 || n == 0 {
		return
	}
	if beta != 1 && (beta != 0 || k == 0 || alpha == 0) {
		scaleMatrix(m, n, beta, c, ldc)
	}
	if k == 0 || alpha == 0 {
		return
	}
	if m*n*k < serialWork {
		pool = nil
	}
	g, _ := gemms.Get().(*gemm)
	if g == nil {
		g = &gemm{}
		g.packTasks = [2]func(i int){g.packColumns, g.packRows}
		g.strips = g.strip
	}
	g.begin(pool, m, n, k)
	defer g.end()
	aRow, aCol := strides(transA, lda)
	bRow, bCol := strides(transB, ldb)
	for j := 0; j < n; j += gemmN {
		for t := 0; t < k; t += gemmK {
			nb, kb := min(gemmN, n-j), min(gemmK, k-t)
			g.packB(b[t*bRow+j*bCol:], bRow, bCol, kb, nb)
			for i := 0; i < m; i += gemmM {
				mb := min(gemmM, m-i)
				g.packA(a[i*aRow+t*aCol:], aRow, aCol, mb, kb, alpha)
				g.multiply(c[i*ldc+j:], ldc, t > 0 || beta != 0)
			}
		}
	}
}

// checkMatrix panics if sizes are invalid, or if x is too short for a matrix with row stride ld.
func checkMatrix(name string, trans bool, rows, cols int, x []float32, ld int) {
	if trans {
		rows, cols = cols, rows
	}
	if rows < 0 || cols < 0 || ld < cols {
		panic("kernel: " + name + ": bad size or row stride")
	}
	if rows > 0 && cols > 0 && len(x) < (rows-1)*ld+cols {
		panic("kernel: " + name + ": short slice")
	}
}

func strides(trans bool, ld int) (row, col int) {
	if trans {
		return 1, ld
	}
	return ld, 1
}

// scaleMatrix multiplies a matrix [m, n] by beta in place. 0 overwrites what is there, NaN included.
func scaleMatrix(m, n int, beta float32, c []float32, ldc int) {
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		if beta == 0 {
			clear(row)
		} else {
			Scale(beta, row, row)
		}
	}
}

// gemms keeps the state of products between calls: its buffers are megabytes, and fresh ones would be cleared each
// time.
var gemms sync.Pool

// gemm is the state of one matrix product: the blocks packed now.
type gemm struct {
	pool       *par.Pool
	isa        ISA
	rows, segs int // of a tile
	width      int // columns of a tile
	buffer     []float32
	packedA    []float32
	packedB    []float32
	edge       []float32 // per worker, a tile that reaches beyond C
	off        []int32
	src, dst   []int32

	// The block in progress.
	a, b, c                []float32
	aRow, aCol, bRow, bCol int
	ldc, mb, nb, kb        int
	alpha                  float32
	acc                    bool
	panels                 panels
	cols                   int // column panels

	packTasks [2]func(i int)
	strips    func(worker, task int)
}

// begin makes room for the blocks of an m x n x k product.
func (g *gemm) begin(pool *par.Pool, m, n, k int) {
	isa := Active()
	if g.isa != isa || g.off == nil {
		g.isa = isa
		g.rows, g.segs = isa.tileShape()
		g.width = g.segs * segWidth
		g.off, g.src, g.dst = linearOffsets(gemmK, g.width), linearOffsets(g.segs, segWidth), linearOffsets(g.segs, segWidth)
	}
	kb := min(k, gemmK)
	sizeA, sizeB := min(m, gemmM)*kb, roundUp(min(n, gemmN), g.width)*kb
	edge := roundUp(g.rows*g.width, line)
	need := sizeA + sizeB + pool.Threads()*edge + 4*line
	if len(g.buffer) < need {
		g.buffer = make([]float32, need)
	}
	ar := newArena(g.buffer, need)
	g.pool, g.packedA, g.packedB, g.edge = pool, ar.take(sizeA), ar.take(sizeB), ar.take(pool.Threads()*edge)
}

// end forgets the operands and makes room for the next product.
func (g *gemm) end() {
	g.pool, g.a, g.b, g.c = nil, nil, nil, nil
	gemms.Put(g)
}

// packB copies a kb x nb block into column panels of one tile's width, zeros beyond the edge.
func (g *gemm) packB(b []float32, row, col, kb, nb int) {
	g.b, g.bRow, g.bCol, g.kb, g.nb = b, row, col, kb, nb
	g.cols = (nb + g.width - 1) / g.width
	g.pool.Run(g.cols, g.packTasks[0])
}

func (g *gemm) packColumns(i int) {
	j := i * g.width
	cols := min(g.width, g.nb-j)
	dst := g.packedB[j*g.kb : (j+g.width)*g.kb]
	if cols < g.width {
		clear(dst)
	}
	if g.bCol == 1 {
		copyRows(dst, g.width, g.b[j:], g.bRow, g.kb, cols)
		return
	}
	transpose(dst, g.width, g.b[j*g.bCol:], g.bCol, cols, g.kb)
}

func (g *gemm) packA(a []float32, row, col, mb, kb int, alpha float32) {
	g.a, g.aRow, g.aCol, g.mb, g.kb, g.alpha = a, row, col, mb, kb, alpha
	g.panels = cutPanels(mb, g.rows)
	g.pool.Run(g.panels.count, g.packTasks[1])
}

func (g *gemm) packRows(i int) {
	lo, hi := g.panels.bounds(i)
	dst := g.packedA[lo*g.kb : hi*g.kb]
	packPanel(dst, g.a[lo*g.aRow:], hi-lo, g.kb, g.aRow, g.aCol)
	if g.alpha != 1 {
		Scale(g.alpha, dst, dst)
	}
}

// gemmStrip is the number of row panels and column panels of a task: enough tasks for many cores, each large enough to
// pay for the hand-off.
const gemmStrip = 8

// multiply adds the product of the packed blocks to C, or stores it.
func (g *gemm) multiply(c []float32, ldc int, acc bool) {
	g.c, g.ldc, g.acc = c, ldc, acc
	rowStrips, colStrips := (g.panels.count+gemmStrip-1)/gemmStrip, (g.cols+gemmStrip-1)/gemmStrip
	g.pool.RunWorker(rowStrips*colStrips, g.strips)
}

// strip computes a strip of C.
func (g *gemm) strip(worker, task int) {
	rowStrips := (g.panels.count + gemmStrip - 1) / gemmStrip
	r0, c0 := task%rowStrips*gemmStrip, task/rowStrips*gemmStrip
	edge := g.edge[worker*len(g.edge)/g.pool.Threads():]
	for j := c0; j < min(c0+gemmStrip, g.cols); j++ {
		b := g.packedB[j*g.width*g.kb:]
		for i := r0; i < min(r0+gemmStrip, g.panels.count); i++ {
			lo, hi := g.panels.bounds(i)
			at := g.c[lo*g.ldc+j*g.width:]
			if (j+1)*g.width <= g.nb {
				tile(g.isa, hi-lo, g.kb, g.packedA[lo*g.kb:], b, g.off, g.src, at, g.dst, g.ldc, g.acc)
				continue
			}
			tile(g.isa, hi-lo, g.kb, g.packedA[lo*g.kb:], b, g.off, g.src, edge, g.dst, g.width, false)
			addEdge(at, g.ldc, edge, g.width, hi-lo, g.nb-j*g.width, g.acc)
		}
	}
}

// addEdge adds an m x n part of edge to c or, without acc, copies it.
func addEdge(c []float32, ldc int, edge []float32, lde, m, n int, acc bool) {
	for i := range m {
		row, e := c[i*ldc:i*ldc+n], edge[i*lde:i*lde+n]
		if acc {
			for j, v := range e {
				row[j] += v
			}
		} else {
			copy(row, e)
		}
	}
}
