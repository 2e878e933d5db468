//go:build amd64 && !noasm

package kernel

//go:generate go -C _gen run . -pkg kernel -out ../kernels_amd64.s -stubs ../kernels_amd64.go -dispatch ..

import "golang.org/x/sys/cpu"

// best is the fastest instruction set of this machine. All features a kernel uses are asked for one by one, because
// GODEBUG=cpu.avx512f=off clears a single bit.
func best() ISA {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return Go
	case x.HasAVX512F && x.HasAVX512VL && x.HasAVX512DQ:
		return AVX512
	default:
		return AVX2
	}
}

// hasVNNI says whether the AVX-512 implementation may use VPDPBUSD.
func hasVNNI() bool { return cpu.X86.HasAVX512VNNI }

// whole is the length of the prefix that element-wise assembly handles.
func whole(x []float32) int {
	if Active() == Go {
		return 0
	}
	return len(x) &^ (sumLanes - 1)
}

// tileArch runs the assembly tile. A switch, not a function value: through the latter every pointer would escape.
func tileArch(isa ISA, m, k int, a, b []float32, off, src []int32, c []float32, dst []int32, ldc int, acc bool) {
	switch {
	case isa == AVX2:
		tileAVX2(m, k, &a[0], &b[0], &off[0], &src[0], &c[0], &dst[0], ldc, acc)
	case src[1]-src[0] == segWidth && src[3]-src[2] == segWidth && dst[1]-dst[0] == segWidth && dst[3]-dst[2] == segWidth:
		tilePairsAVX512(m, k, &a[0], &b[0], &off[0], &src[0], &c[0], &dst[0], ldc, acc)
	default:
		tileAVX512(m, k, &a[0], &b[0], &off[0], &src[0], &c[0], &dst[0], ldc, acc)
	}
}

// tileIntArch runs the assembly tile of codes.
func tileIntArch(isa ISA, m, k int, a, b, off, src []int32, c []float32, dst []int32, ldc int, start []int32, scale []float32) {
	switch {
	case isa == AVX2:
		tileIntAVX2(m, k, &a[0], &b[0], &off[0], &src[0], &c[0], &dst[0], ldc, &start[0], &scale[0])
	case src[1]-src[0] == segWidth && src[3]-src[2] == segWidth && dst[1]-dst[0] == segWidth && dst[3]-dst[2] == segWidth:
		tileIntPairsVNNI(m, k, &a[0], &b[0], &off[0], &src[0], &c[0], &dst[0], ldc, &start[0], &scale[0])
	default:
		tileIntVNNI(m, k, &a[0], &b[0], &off[0], &src[0], &c[0], &dst[0], ldc, &start[0], &scale[0])
	}
}

// codesArch makes the first n words.
func codesArch(isa ISA, dst []int32, rows *[maxLanes][]float32, inverse float32, zero int32) (seen int32, n int) {
	if isa == AVX512 {
		return codesAVX512(&dst[0], &rows[0][0], &rows[1][0], &rows[2][0], &rows[3][0], len(dst), inverse, zero), len(dst)
	}
	if n = len(dst) &^ 7; n > 0 {
		seen = codesAVX2(&dst[0], &rows[0][0], &rows[1][0], n, inverse, zero)
	}
	return seen, n
}

// codesRowArch makes the codes of the first n elements.
func codesRowArch(isa ISA, dst []int32, x []float32, inverse float32) (seen int32, n int) {
	if isa == AVX512 {
		return codesRowAVX512(&dst[0], &x[0], len(x), inverse), len(x)
	}
	if n = len(x) &^ 15; n > 0 {
		seen = codesRowAVX2(&dst[0], &x[0], n, inverse)
	}
	return seen, n
}

// transposeArch is transpose, and says whether it did anything. The last group of rows or columns overlaps the one
// before.
func transposeArch(dst []float32, ldd int, src []float32, lds, rows, cols int) bool {
	if rows < 4 || cols < 4 || Active() == Go {
		return false
	}
	group := 4
	if rows >= 8 {
		group = 8
	}
	whole, i := cols&^3, 0
	if Active() == AVX512 {
		for ; i+16 <= rows; i += 16 {
			to, from := dst[i:], src[i*lds:]
			transpose16AVX512(&to[0], ldd, &from[0], lds, whole)
			if at := cols - 4; whole < cols {
				transpose16AVX512(&to[at*ldd], ldd, &from[at], lds, 4)
			}
		}
	}
	for ; i < rows; i += group {
		i := min(i, rows-group)
		to, from := dst[i:], src[i*lds:]
		if group == 8 {
			transpose8AVX2(&to[0], ldd, &from[0], lds, whole)
		} else {
			transpose4AVX2(&to[0], ldd, &from[0], lds, whole)
		}
		if at := cols - 4; whole < cols && group == 8 {
			transpose8AVX2(&to[at*ldd], ldd, &from[at], lds, 4)
		} else if whole < cols {
			transpose4AVX2(&to[at*ldd], ldd, &from[at], lds, 4)
		}
	}
	return true
}

// The row kernels move whole registers, so rows shorter than one are left to Go.

// axpyRowsArch takes the longest prefix of y it can, and returns its length.
func axpyRowsArch(a, x []float32, stride int, y []float32) int {
	n := whole(y)
	switch {
	case n == 0:
	case Active() == AVX512:
		axpyRowsAVX512(&a[0], len(a), &x[0], stride, &y[0], n)
	default:
		axpyRowsAVX2(&a[0], len(a), &x[0], stride, &y[0], n)
	}
	return n
}

// dots64Arch takes the longest prefix of y it can, and returns its length.
func dots64Arch(x *[4][]float64, y []float64, sums *[4][4]float64) int {
	n := len(y) &^ 3
	if n == 0 || Active() == Go {
		return 0
	}
	dots64AVX2(&x[0][0], &x[1][0], &x[2][0], &x[3][0], &y[0], n, &sums[0][0])
	return n
}

func copyRowsArch(dst []float32, ldd int, src []float32, lds, rows, cols int) bool {
	if cols < 8 || Active() == Go {
		return false
	}
	copyRowsAVX2(&dst[0], ldd, &src[0], lds, rows, cols)
	return true
}

func splitRowsArch(even, odd []float32, ldd int, src []float32, lds, rows, cols int) bool {
	if cols < 8 || Active() == Go {
		return false
	}
	splitRowsAVX2(&even[0], &odd[0], ldd, &src[0], lds, rows, cols)
	return true
}

func joinRowsArch(dst []float32, ldd int, even, odd []float32, lds, rows, cols int) bool {
	if cols < 8 || Active() == Go {
		return false
	}
	joinRowsAVX2(&dst[0], ldd, &even[0], &odd[0], lds, rows, cols)
	return true
}

// tileRowArch is a tile of one row over all segments, whose number is a multiple of 8.
func tileRowArch(k int, a, b []float32, off, src []int32, c []float32, dst []int32) {
	tileRowAVX2(k, &a[0], &b[0], &off[0], &src[0], &c[0], &dst[0], len(src)/8)
}

// sweepArch computes a block of columns of a plane whose rows are stride floats apart.
func sweepArch(x []float32, w *[sweepTaps]float32, y []float32, rows, stride int, c sweepCut) {
	sweepAVX512(&x[0], &w[0], &y[0], rows, stride, c.left, c.mid, c.right)
}

// sweepSumsArch adds a block of columns to the lanes of nine taps.
func sweepSumsArch(x, dy, sums []float32, rows, stride int, c sweepCut) {
	sweepSumsAVX512(&x[0], &dy[0], &sums[0], rows, stride, c.left, c.mid, c.right)
}

// tapSumsArch adds to 8 lane sums for each tap, nine taps at a time. It goes through the plane in pieces that stay in
// L1 while all taps pass.
func tapSumsArch(x []float32, off []int32, dy []float32, src, dst []int32, sums []float32) {
	const piece = 256
	for q := 0; q < len(src); q += piece {
		n := min(piece, len(src)-q)
		for t := 0; t < len(off); t += 9 {
			tapSumsAVX2(min(9, len(off)-t), &x[0], &off[t], &dy[0], &src[q], &dst[q], n, &sums[t*segWidth])
		}
	}
}

// fmaRounds runs the loop of FMA and returns the operations of one round.
func fmaRounds(n int) int64 {
	switch Active() {
	case AVX512:
		fmaAVX512(n)
		return 2 * 12 * 16
	case AVX2:
		fmaAVX2(n)
		return 2 * 12 * 8
	default:
		return fmaGo(n)
	}
}
