package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
)

// naiveGemm is the definition in float64; scale is the same with absolute values, for the tolerance.
func naiveGemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) (out, scale []float64) {
	out, scale = make([]float64, m*n), make([]float64, m*n)
	ar, ac := strides(transA, lda)
	br, bc := strides(transB, ldb)
	for i := range m {
		for j := range n {
			var s, d float64
			for t := range k {
				p := float64(a[i*ar+t*ac]) * float64(b[t*br+j*bc])
				s += p
				d += math.Abs(p)
			}
			o := float64(alpha) * s
			if beta != 0 {
				o += float64(beta) * float64(c[i*ldc+j])
				d += math.Abs(float64(c[i*ldc+j]))
			}
			out[i*n+j], scale[i*n+j] = o, d
		}
	}
	return out, scale
}

func checkGemm(t *testing.T, pool *par.Pool, transA, transB bool, m, n, k, pad int, alpha, beta float32, seed uint64) {
	t.Helper()
	r := newRand(seed)
	aRows, aCols, bRows, bCols := m, k, k, n
	if transA {
		aRows, aCols = k, m
	}
	if transB {
		bRows, bCols = n, k
	}
	lda, ldb, ldc := aCols+pad, bCols+pad, n+pad
	size := func(rows, cols, ld int) int {
		if rows == 0 {
			return 0
		}
		return (rows-1)*ld + cols
	}
	a := guardedCopy(normals(r, size(aRows, aCols, lda)), 1)
	b := guardedCopy(normals(r, size(bRows, bCols, ldb)), 3)
	c := guardedCopy(normals(r, size(m, n, ldc)), 5)
	before := append([]float32(nil), c.data()...)
	want, scale := naiveGemm(transA, transB, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, before, ldc)
	Gemm(pool, transA, transB, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc)
	c.check(t)
	got := c.data()
	for i := range m {
		for j := range n {
			if !close32(got[i*ldc+j], want[i*n+j], scale[i*n+j], 2e-6) {
				t.Fatalf("m=%d n=%d k=%d %v %v: c[%d,%d] = %v, want %v", m, n, k, transA, transB, i, j, got[i*ldc+j], want[i*n+j])
			}
		}
		for j := n; j < ldc && i < m-1; j++ {
			if got[i*ldc+j] != before[i*ldc+j] {
				t.Fatalf("m=%d n=%d k=%d: wrote between rows at %d,%d", m, n, k, i, j)
			}
		}
	}
}

func TestGemm(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for m := 0; m <= 67; m += 1 + m/16 {
			for n := 0; n <= 67; n += 1 + n/12 {
				flags := m*68 + n
				checkGemm(t, pool, flags&1 != 0, flags&2 != 0, m, n, (m*7+n*3)%41, flags%3, 1, float32(flags%2), uint64(flags))
			}
		}
		for _, c := range [][3]int{{130, 257, 390}, {1030, 40, 33}, {20, 1100, 500}, {64, 64, 800}} {
			for f := range 4 {
				checkGemm(t, pool, f&1 != 0, f&2 != 0, c[0], c[1], c[2], f, 0.5, 2, uint64(f))
			}
		}
	})
}

func TestGemmPropagatesNonFinite(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const m, n, k = 5, 37, 9
		for _, bad := range []float32{float32(math.NaN()), inf, -inf} {
			r := newRand(1)
			a, b, c := normals(r, m*k), normals(r, k*n), make([]float32, m*n)
			a[2*k+3] = bad
			Gemm(nil, false, false, m, n, k, 1, a, k, b, n, 0, c, n)
			for i, v := range c {
				if finite := !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0); finite == (i/n == 2) {
					t.Fatalf("a[2,3] = %v: c[%d,%d] = %v", bad, i/n, i%n, v)
				}
			}
			c[0] = float32(math.NaN()) // beta = 0 does not read C
			Gemm(nil, false, false, 1, 1, 0, 1, a, k, b, n, 0, c, n)
			if c[0] != 0 {
				t.Fatalf("empty product is %v, want 0", c[0])
			}
		}
	})
}

func TestGemmThreadIndependent(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := newRand(3)
		const m, n, k = 150, 333, 500
		a, b := normals(r, m*k), normals(r, k*n)
		want := make([]float32, m*n)
		Gemm(nil, false, false, m, n, k, 1, a, k, b, n, 0, want, n)
		for _, threads := range []int{2, 3, 7} {
			pool := par.New(threads)
			got := make([]float32, m*n)
			Gemm(pool, false, false, m, n, k, 1, a, k, b, n, 0, got, n)
			pool.Close()
			if err := sameBits(got, want); err != nil {
				t.Fatalf("%d threads: %v", threads, err)
			}
		}
	})
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(3), uint8(33), uint8(9), uint8(1), uint64(1))
	f.Fuzz(func(t *testing.T, m, n, k, flags uint8, seed uint64) {
		for _, isa := range Available() {
			restore, err := Override(isa)
			if err != nil {
				t.Fatal(err)
			}
			checkGemm(t, nil, flags&1 != 0, flags&2 != 0, int(m), int(n), int(k), int(flags>>2)%5, 1, float32(flags&1), seed)
			restore()
		}
	})
}

func BenchmarkGemm(b *testing.B) {
	pool := par.New(0)
	defer pool.Close()
	for _, n := range []int{64, 128, 256, 512, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRand(1)
			x, y, z := normals(r, n*n), normals(r, n*n), make([]float32, n*n)
			for b.Loop() {
				Gemm(pool, false, false, n, n, n, 1, x, n, y, n, 0, z, n)
			}
			b.ReportMetric(2*float64(n*n*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
