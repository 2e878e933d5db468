package kernel

import "math"

// maxLanes is the most codes that a word of 32 bits holds.
const maxLanes = 4

// lanes is the number of codes in a word, and so the number of products that a step of tileInt adds up: 4 of 8 bits
// where VPDPBUSD multiplies them, 2 of 16 bits for VPMADDWD, since the 8-bit VPMADDUBSW saturates, and 1 in Go.
func (i ISA) lanes() int {
	switch i {
	case AVX512:
		return 4
	case AVX2:
		return 2
	default:
		return 1
	}
}

// intISA is the instruction set of integer kernels: AVX-512 without VNNI computes as AVX2 does.
func intISA() ISA {
	isa := Active()
	if isa == AVX512 && !hasVNNI() {
		return AVX2
	}
	return isa
}

// tileInt is the micro-kernel of products of codes. With m rows (at most the instruction set's), and the number of
// segments its tileShape says,
//
//	for i < m, q < segs, j < 8:
//		sum = start[i] + Σ_{t<k, l<lanes} a[t*m+i].lane(l) * b[src[q]+off[t]+j].lane(l)
//		c[dst[q]+i*ldc+j] = float32(sum) * scale[i]
//
// Lanes of a are signed, lanes of b lie in 0..255. The caller guarantees all indices.
func tileInt(isa ISA, m, k int, a, b, off, src []int32, c []float32, dst []int32, ldc int, start []int32, scale []float32) {
	if isa != Go {
		tileIntArch(isa, m, k, a, b, off, src, c, dst, ldc, start, scale)
		return
	}
	for j := 0; j < segWidth; j += 4 {
		bj := b[int(src[0])+j:]
		i := 0
		for ; i+2 <= m; i += 2 {
			at := int(dst[0]) + i*ldc + j
			tileIntGo2x4(m, k, a[i:], bj, off, c[at:at+4], c[at+ldc:at+ldc+4], start[i:i+2], scale[i:i+2])
		}
		if i < m {
			at := int(dst[0]) + i*ldc + j
			tileIntGo1x4(m, k, a[i:], bj, off, c[at:at+4], start[i], scale[i])
		}
	}
}

// tileIntGo2x4 holds two sums in 64 bits, S0 + S1<<32: products of a with b0 + b1<<32 add up to that, whatever the
// signs.
func tileIntGo2x4(m, k int, a, b, off []int32, c0, c1 []float32, start []int32, scale []float32) {
	var s00, s02, s10, s12 int64
	at := 0
	for _, o := range off[:k] {
		bt := b[o:][:4:4]
		b0, b2 := int64(bt[0])+int64(bt[1])<<32, int64(bt[2])+int64(bt[3])<<32
		a0, a1 := int64(a[at]), int64(a[at+1])
		s00 += a0 * b0
		s02 += a0 * b2
		s10 += a1 * b0
		s12 += a1 * b2
		at += m
	}
	storeSums(c0, s00, s02, start[0], scale[0])
	storeSums(c1, s10, s12, start[1], scale[1])
}

func storeSums(c []float32, s0, s2 int64, start int32, scale float32) {
	p0, p2 := int32(s0), int32(s2)
	p1, p3 := int32((s0-int64(p0))>>32), int32((s2-int64(p2))>>32)
	storeInt(c, start+p0, start+p1, start+p2, start+p3, scale)
}

func tileIntGo1x4(m, k int, a, b, off []int32, c []float32, start int32, scale float32) {
	s0, s1, s2, s3 := start, start, start, start
	at := 0
	for _, o := range off[:k] {
		bt := b[o:][:4:4]
		v := a[at]
		s0 += v * bt[0]
		s1 += v * bt[1]
		s2 += v * bt[2]
		s3 += v * bt[3]
		at += m
	}
	storeInt(c, s0, s1, s2, s3, scale)
}

func storeInt(c []float32, s0, s1, s2, s3 int32, scale float32) {
	c = c[:4:4]
	c[0], c[1], c[2], c[3] = float32(s0)*scale, float32(s1)*scale, float32(s2)*scale, float32(s3)*scale
}

// codes makes one word of each pixel: lane l of dst[i] is rint(rows[l][i]*inverse) + zero. It returns the union of the
// bits of all those numbers, in which bits above the lowest 8 say that one is outside 0..255 (NaN and what does not fit
// an int32 count as math.MinInt32).
func codes(isa ISA, dst []int32, rows *[maxLanes][]float32, inverse float32, zero int32) (seen int32) {
	n := 0
	if isa != Go && len(dst) > 0 {
		seen, n = codesArch(isa, dst, rows, inverse, zero)
	}
	lanes := isa.lanes()
	shift := 32 / lanes
	for i := n; i < len(dst); i++ {
		var w int32
		for l := range lanes {
			q := nearest(rows[l][i], inverse) + zero
			seen |= q
			w |= q << (l * shift)
		}
		dst[i] = w
	}
	return seen
}

// codesRow makes signed words of neighbours: lane l of dst[i] is rint(x[i*lanes+l]*inverse), 0 beyond x. It returns the
// union of the bits of those numbers plus 128, as codes does.
func codesRow(isa ISA, dst []int32, x []float32, inverse float32) (seen int32) {
	n := 0
	if isa != Go && len(x) > 0 {
		seen, n = codesRowArch(isa, dst, x, inverse)
	}
	lanes := isa.lanes()
	clear(dst[(n+lanes-1)/lanes : (len(x)+lanes-1)/lanes])
	for i := n; i < len(x); i++ {
		q := nearest(x[i], inverse)
		seen |= q + 128
		dst[i/lanes] |= isa.lane(q, i%lanes)
	}
	return seen
}

// lane is the word that has q in lane l and 0 in the others.
func (i ISA) lane(q int32, l int) int32 {
	switch i {
	case AVX512:
		return q & 0xff << (8 * l)
	case AVX2:
		return q & 0xffff << (16 * l)
	default:
		return q
	}
}

// nearest is v*inverse rounded to the nearest whole number, halves to even, and math.MinInt32 where that is no int32.
func nearest(v, inverse float32) int32 {
	p := float32(v * inverse)
	if !(p >= -1<<31 && p < 1<<31) {
		return math.MinInt32
	}
	return int32(math.RoundToEven(float64(p)))
}
