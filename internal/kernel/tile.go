package kernel

// tile is the one micro-kernel of the matrix product and of all convolutions. With m rows (at most the instruction
// set's), and the number of segments its tileShape says,
//
//	for i < m, q < segs, j < 8:
//		sum = Σ_{t<k} a[t*m+i] * b[src[q]+off[t]+j]
//		c[dst[q]+i*ldc+j] = sum   // += if acc
//
// a is packed so that a step of t reads m neighbours. b is read where it lies: off says how far step t is from the
// start, which turns a convolution into a matrix product without copying the image once per filter tap. Segments of one
// tile must not overlap in c when acc is set. The caller guarantees all indices.
func tile(isa ISA, m, k int, a, b []float32, off, src []int32, c []float32, dst []int32, ldc int, acc bool) {
	if isa != Go {
		tileArch(isa, m, k, a, b, off, src, c, dst, ldc, acc)
		return
	}
	tileGo(m, k, a, b, off, src, c, dst, ldc, acc)
}

// tileGo computes one segment in pieces of 2 x 4: eight sums are what the compiler keeps in registers.
func tileGo(m, k int, a, b []float32, off, src []int32, c []float32, dst []int32, ldc int, acc bool) {
	for j := 0; j < segWidth; j += 4 {
		bj := b[int(src[0])+j:]
		i := 0
		for ; i+2 <= m; i += 2 {
			at := int(dst[0]) + i*ldc + j
			tileGo2x4(m, k, a[i:], bj, off, c[at:at+4], c[at+ldc:at+ldc+4], acc)
		}
		if i < m {
			at := int(dst[0]) + i*ldc + j
			tileGo1x4(m, k, a[i:], bj, off, c[at:at+4], acc)
		}
	}
}

func tileGo2x4(m, k int, a, b []float32, off []int32, c0, c1 []float32, acc bool) {
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	at := 0
	for _, o := range off[:k] {
		bt := b[o:][:4:4]
		a0, a1 := a[at], a[at+1]
		b0, b1, b2, b3 := bt[0], bt[1], bt[2], bt[3]
		s00 += a0 * b0
		s01 += a0 * b1
		s02 += a0 * b2
		s03 += a0 * b3
		s10 += a1 * b0
		s11 += a1 * b1
		s12 += a1 * b2
		s13 += a1 * b3
		at += m
	}
	c0, c1 = c0[:4:4], c1[:4:4]
	if acc {
		s00, s01, s02, s03 = s00+c0[0], s01+c0[1], s02+c0[2], s03+c0[3]
		s10, s11, s12, s13 = s10+c1[0], s11+c1[1], s12+c1[2], s13+c1[3]
	}
	c0[0], c0[1], c0[2], c0[3] = s00, s01, s02, s03
	c1[0], c1[1], c1[2], c1[3] = s10, s11, s12, s13
}

func tileGo1x4(m, k int, a, b []float32, off []int32, c []float32, acc bool) {
	var s0, s1, s2, s3 float32
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
	c = c[:4:4]
	if acc {
		s0, s1, s2, s3 = s0+c[0], s1+c[1], s2+c[2], s3+c[3]
	}
	c[0], c[1], c[2], c[3] = s0, s1, s2, s3
}

// panels cuts rows into the fewest panels of at most limit rows, sizes differing by at most one: 64 rows and a limit of
// 14 give 13, 13, 13, 13, 12, where filling panels up would leave one of 8 with a poor ratio of arithmetic to loads.
type panels struct{ rows, count int }

func cutPanels(rows, limit int) panels { return panels{rows, (rows + limit - 1) / limit} }

// bounds is the range of rows in panel i.
func (p panels) bounds(i int) (lo, hi int) {
	base, extra := p.rows/p.count, p.rows%p.count
	lo = i*base + min(i, extra)
	hi = lo + base
	if i < extra {
		hi++
	}
	return lo, hi
}

// packPanel lays m rows of k out for tile, the m values of a step as neighbours: dst[t*m+i] =
// a[i*rowStride+t*colStride].
func packPanel(dst, a []float32, m, k, rowStride, colStride int) {
	if rowStride == 1 {
		for t := range k {
			copy(dst[t*m:t*m+m], a[t*colStride:])
		}
		return
	}
	if colStride == 1 {
		transpose(dst, m, a, rowStride, m, k)
		return
	}
	for i := range m {
		row := a[i*rowStride:]
		for t := range k {
			dst[t*m+i] = row[t*colStride]
		}
	}
}

// transpose writes dst[j*ldd+i] = src[i*lds+j] for i < rows, j < cols.
func transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	if rows == 1 && ldd == 1 {
		copy(dst[:cols], src)
		return
	}
	if transposeArch(dst, ldd, src, lds, rows, cols) {
		return
	}
	transposeGo(dst, ldd, src, lds, rows, cols)
}

func transposeGo(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for i := range rows {
		row := src[i*lds : i*lds+cols]
		at := i
		for _, v := range row {
			dst[at] = v
			at += ldd
		}
	}
}

// linearOffsets is the table for a packed B whose rows are stride apart.
func linearOffsets(k, stride int) []int32 {
	off := make([]int32, k)
	for t := range off {
		off[t] = int32(t * stride)
	}
	return off
}
