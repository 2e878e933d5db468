package kernel

import (
	"sync"

	"github.com/mpqc/mpqc/internal/par"
)

// Cache blocks of the matrix product: a packed panel of A (14 x gemmK) stays in L1, a block of A (gemmM x gemmK) and one
// of B (gemmK x gemmN) in L2 and L3. The optimum is flat.
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
	g := newGemm(pool, m, n, k)
	defer gemmBuffers.Put(g.buffer)
	aRow, aCol := strides(transA, lda)
	bRow, bCol := strides(transB, ldb)
	for j := 0; j < n; j += gemmN {
		for t := 0; t < k; t += gemmK {
			nb, kb := min(gemmN, n-j), min(gemmK, k-t)
			g.packB(b[t*bRow+j*bCol:], bRow, bCol, kb, nb)
			for i := 0; i < m; i += gemmM {
				mb := min(gemmM, m-i)
				g.packA(a[i*aRow+t*aCol:], aRow, aCol, mb, kb, alpha)
				g.multiply(c[i*ldc+j:], ldc, mb, nb, kb, t > 0 || beta != 0)
			}
		}
	}
}

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

// gemmBuffers keeps packing buffers between calls: they are megabytes, and a fresh one would be cleared each time.
var gemmBuffers sync.Pool

// gemm is the state of one matrix product: the blocks packed now.
type gemm struct {
	pool       *par.Pool
	isa        ISA
	buffer     *[]float32
	rows, segs int // of a tile
	width      int // columns of a tile
	packedA    []float32
	packedB    []float32
	edge       []float32 // per worker, a tile that reaches beyond C
	off        []int32
	src, dst   []int32
}

func newGemm(pool *par.Pool, m, n, k int) *gemm {
	isa := Active()
	rows, segs := isa.tileShape()
	width := segs * segWidth
	kb := min(k, gemmK)
	sizeA, sizeB := min(m, gemmM)*kb, roundUp(min(n, gemmN), width)*kb
	edge := roundUp(rows*width, line)
	need := sizeA + sizeB + pool.Threads()*edge + 4*line
	buffer, _ := gemmBuffers.Get().(*[]float32)
	if buffer == nil || len(*buffer) < need {
		fresh := make([]float32, need)
		buffer = &fresh
	}
	ar := newArena(*buffer, need)
	g := &gemm{pool: pool, buffer: buffer, isa: isa, rows: rows, segs: segs, width: width,
		packedA: ar.take(sizeA), packedB: ar.take(sizeB), edge: ar.take(pool.Threads() * edge),
		off: linearOffsets(kb, width), src: linearOffsets(segs, segWidth), dst: linearOffsets(segs, segWidth)}
	return g
}

// packB copies a kb x nb block into column panels of one tile's width, zeros beyond the edge.
func (g *gemm) packB(b []float32, row, col, kb, nb int) {
	g.pool.Run((nb+g.width-1)/g.width, func(i int) {
		j := i * g.width
		cols := min(g.width, nb-j)
		dst := g.packedB[j*kb : (j+g.width)*kb]
		if cols < g.width {
			clear(dst)
		}
		if col == 1 {
			copyRows(dst, g.width, b[j:], row, kb, cols)
			return
		}
		transpose(dst, g.width, b[j*col:], col, cols, kb)
	})
}

func (g *gemm) packA(a []float32, row, col, mb, kb int, alpha float32) {
	p := cutPanels(mb, g.rows)
	g.pool.Run(p.count, func(i int) {
		lo, hi := p.bounds(i)
		dst := g.packedA[lo*kb : hi*kb]
		packPanel(dst, a[lo*row:], hi-lo, kb, row, col)
		if alpha != 1 {
			Scale(alpha, dst, dst)
		}
	})
}

// multiply adds the product of the packed blocks to C, or stores it. A task is a strip of C of up to 8 row panels and 8
// column panels: enough of them for many cores, each large enough to pay for the hand-off.
func (g *gemm) multiply(c []float32, ldc, mb, nb, kb int, acc bool) {
	p := cutPanels(mb, g.rows)
	cols := (nb + g.width - 1) / g.width
	const strip = 8
	rowStrips, colStrips := (p.count+strip-1)/strip, (cols+strip-1)/strip
	g.pool.RunWorker(rowStrips*colStrips, func(worker, task int) {
		r0, c0 := task%rowStrips*strip, task/rowStrips*strip
		edge := g.edge[worker*len(g.edge)/g.pool.Threads():]
		for j := c0; j < min(c0+strip, cols); j++ {
			b := g.packedB[j*g.width*kb:]
			for i := r0; i < min(r0+strip, p.count); i++ {
				lo, hi := p.bounds(i)
				at := c[lo*ldc+j*g.width:]
				if (j+1)*g.width <= nb {
					tile(g.isa, hi-lo, kb, g.packedA[lo*kb:], b, g.off, g.src, at, g.dst, ldc, acc)
					continue
				}
				tile(g.isa, hi-lo, kb, g.packedA[lo*kb:], b, g.off, g.src, edge, g.dst, g.width, false)
				addEdge(at, ldc, edge, g.width, hi-lo, nb-j*g.width, acc)
			}
		}
	})
}

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
