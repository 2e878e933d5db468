package kernel

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// fenced returns n floats that end (or begin) where the address space does: a read outside, which canaries cannot see
// and which in production faults once in a blue moon, faults here every time.
func fenced(t *testing.T, n int, atStart bool) []float32 {
	t.Helper()
	page := os.Getpagesize()
	size := roundUp(max(4*n, 1), page)
	mem, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("map guarded memory: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(mem); err != nil {
			t.Errorf("unmap guarded memory: %v", err)
		}
	})
	for _, fence := range [][]byte{mem[:page], mem[page+size:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatalf("protect page: %v", err)
		}
	}
	at := page
	if !atStart {
		at += size - 4*n
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[at])), n)
}

func fencedCopy(t *testing.T, x []float32, atStart bool) []float32 {
	t.Helper()
	out := fenced(t, len(x), atStart)
	copy(out, x)
	return out
}

// fencedDoubles is fenced at its end.
func fencedDoubles(t *testing.T, n int) []float64 {
	t.Helper()
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(&fenced(t, 2*n, false)[0])), n)
}

func TestConvStaysInside(t *testing.T) {
	for _, c := range convCases() {
		for _, atStart := range []bool{false, true} {
			eachISA(t, func(t *testing.T) {
				t.Helper()
				r := newRand(1)
				s := c.s
				x := fencedCopy(t, normals(r, s.N*s.C*s.H*s.W), atStart)
				w := fencedCopy(t, normals(r, s.K*s.C/s.Groups*s.R*s.S), atStart)
				y := fenced(t, s.N*s.K*s.OH*s.OW, atStart)
				scratch := fenced(t, ConvScratch(s, 1), atStart)
				ConvForward(nil, s, x, w, y, scratch)
				ConvBackwardData(nil, s, w, y, x, scratch)
				ConvBackwardWeight(nil, s, x, y, w, scratch)
			})
		}
	}
}

func TestIntConvStaysInside(t *testing.T) {
	for _, c := range convCases() {
		for _, atStart := range []bool{false, true} {
			eachISA(t, func(t *testing.T) {
				t.Helper()
				d := newIntData(c.s, false, 1)
				conv := NewIntConv(c.s, false, 1)
				conv.Weights(nil, fencedCopy(t, d.w, atStart), fencedCopy(t, d.stepW, atStart), len(d.w)/c.s.K, c.s.R*c.s.S)
				conv.Forward(nil, fencedCopy(t, d.x, atStart), d.stepX, fenced(t, len(d.y), atStart), fenced(t, conv.Scratch(), atStart))
			})
		}
	}
}

func TestGemmStaysInside(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		t.Helper()
		for m := 1; m < 32; m += 3 {
			for n := 1; n < 70; n += 5 {
				for f := range 4 {
					const k = 13
					r := newRand(1)
					a, b := fencedCopy(t, normals(r, m*k), false), fencedCopy(t, normals(r, k*n), false)
					c := fenced(t, m*n, false)
					lda, ldb := k, n
					if f&1 != 0 {
						lda = m
					}
					if f&2 != 0 {
						ldb = k
					}
					Gemm(nil, f&1 != 0, f&2 != 0, m, n, k, 1, a, lda, b, ldb, 1, c, n)
				}
			}
		}
	})
}

func TestElementwiseStaysInside(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		t.Helper()
		for n := range 68 {
			x, y, z := fencedCopy(t, mixed(n, 1), false), fencedCopy(t, mixed(n, 2), false), fenced(t, n, false)
			for _, k := range elementwise {
				k.run(x, y, z)
			}
			Sum(x)
			Dot(x, y)
			SumSqDiff(x, y)
			Moments(x, 1)
			GradMoments(x, y, 1)
			for _, rows := range []int{1, 3} {
				AxpyRows(fencedCopy(t, mixed(rows, 3), false), fencedCopy(t, mixed(rows*n, 4), false), n, z)
			}
			dots := [4][]float64{fencedDoubles(t, n), fencedDoubles(t, n), fencedDoubles(t, n), fencedDoubles(t, n)}
			Dots64(&dots, fencedDoubles(t, n))
		}
	})
}
