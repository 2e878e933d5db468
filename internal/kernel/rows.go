package kernel

// copyRows writes dst[i*ldd+j] = src[i*lds+j] for i < rows, j < cols.
func copyRows(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	if rows < 1 || cols < 1 || copyRowsArch(dst, ldd, src, lds, rows, cols) {
		return
	}
	for i := range rows {
		copy(dst[i*ldd:i*ldd+cols], src[i*lds:i*lds+cols])
	}
}

// splitRows separates the columns of src: even[i*ldd+j] = src[i*lds+2*j] for i < rows, j < cols, and odd likewise from
// 2*j+1. odd may be even, and then the even columns stay.
func splitRows(even, odd []float32, ldd int, src []float32, lds, rows, cols int) {
	if rows < 1 || cols < 1 || splitRowsArch(even, odd, ldd, src, lds, rows, cols) {
		return
	}
	for i := range rows {
		e, o, s := even[i*ldd:i*ldd+cols], odd[i*ldd:i*ldd+cols], src[i*lds:i*lds+2*cols]
		for j := range e {
			o[j] = s[2*j+1]
			e[j] = s[2*j]
		}
	}
}

// joinRows is the inverse: dst[i*ldd+2*j] = even[i*lds+j], dst[i*ldd+2*j+1] = odd[i*lds+j].
func joinRows(dst []float32, ldd int, even, odd []float32, lds, rows, cols int) {
	if rows < 1 || cols < 1 || joinRowsArch(dst, ldd, even, odd, lds, rows, cols) {
		return
	}
	for i := range rows {
		e, o, d := even[i*lds:i*lds+cols], odd[i*lds:i*lds+cols], dst[i*ldd:i*ldd+2*cols]
		for j := range e {
			d[2*j], d[2*j+1] = e[j], o[j]
		}
	}
}
