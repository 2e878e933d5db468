//go:build amd64 && !noasm

package kernel

// The functions below run the assembly version of a kernel over the longest prefix it can, a multiple of 16 floats, and
// return its length; the Go version does the rest. Lane sums are added to by neither before, so the prefix comes first.

// whole is the length of the prefix.
func whole(x []float32) int {
	if Active() == Go {
		return 0
	}
	return len(x) &^ (sumLanes - 1)
}

func addArch(x, y, z []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		addAVX512(&x[0], &y[0], &z[0], n)
	default:
		addAVX2(&x[0], &y[0], &z[0], n)
	}
	return n
}

func mulArch(x, y, z []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		mulAVX512(&x[0], &y[0], &z[0], n)
	default:
		mulAVX2(&x[0], &y[0], &z[0], n)
	}
	return n
}

func axpyArch(a float32, x, y []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		axpyAVX512(&x[0], &y[0], n, a)
	default:
		axpyAVX2(&x[0], &y[0], n, a)
	}
	return n
}

func scaleShiftArch(a, b float32, x, y []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		scaleShiftAVX512(&x[0], &y[0], n, a, b)
	default:
		scaleShiftAVX2(&x[0], &y[0], n, a, b)
	}
	return n
}

func combineArch(a, b, c float32, x, y, z []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		combineAVX512(&x[0], &y[0], &z[0], n, a, b, c)
	default:
		combineAVX2(&x[0], &y[0], &z[0], n, a, b, c)
	}
	return n
}

func clipArch(lo, hi float32, x, y []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		clipAVX512(&x[0], &y[0], n, lo, hi)
	default:
		clipAVX2(&x[0], &y[0], n, lo, hi)
	}
	return n
}

func clipGradArch(lo, hi float32, x, dy, dx []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		clipGradAVX512(&x[0], &dy[0], &dx[0], n, lo, hi)
	default:
		clipGradAVX2(&x[0], &dy[0], &dx[0], n, lo, hi)
	}
	return n
}

func quantizeArch(s, lo, hi float32, x, y []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		quantizeAVX512(&x[0], &y[0], n, s, lo, hi)
	default:
		quantizeAVX2(&x[0], &y[0], n, s, lo, hi)
	}
	return n
}

func fakeQuantArch(s, lo, hi float32, x, y []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		fakeQuantAVX512(&x[0], &y[0], n, s, lo, hi)
	default:
		fakeQuantAVX2(&x[0], &y[0], n, s, lo, hi)
	}
	return n
}

func fakeQuantGradArch(s, lo, hi float32, x, dy, dx []float32, l *lanes) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		fakeQuantGradAVX512(&x[0], &dy[0], &dx[0], n, s, lo, hi, &l[0])
	default:
		fakeQuantGradAVX2(&x[0], &dy[0], &dx[0], n, s, lo, hi, &l[0])
	}
	return n
}

func sumArch(x []float32, l *lanes) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		sumAVX512(&x[0], n, &l[0])
	default:
		sumAVX2(&x[0], n, &l[0])
	}
	return n
}

func dotArch(x, y []float32, l *lanes) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		dotAVX512(&x[0], &y[0], n, &l[0])
	default:
		dotAVX2(&x[0], &y[0], n, &l[0])
	}
	return n
}

func sumSqDiffArch(x, y []float32, l *lanes) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		sumSqDiffAVX512(&x[0], &y[0], n, &l[0])
	default:
		sumSqDiffAVX2(&x[0], &y[0], n, &l[0])
	}
	return n
}

func momentsArch(c float32, x []float32, l, q *lanes) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		momentsAVX512(&x[0], n, c, &l[0], &q[0])
	default:
		momentsAVX2(&x[0], n, c, &l[0], &q[0])
	}
	return n
}

func gradMomentsArch(c float32, x, dy []float32, l, q *lanes) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		gradMomentsAVX512(&x[0], &dy[0], n, c, &l[0], &q[0])
	default:
		gradMomentsAVX2(&x[0], &dy[0], n, c, &l[0], &q[0])
	}
	return n
}

func scaleShiftClipArch(a, b, lo, hi float32, x, y []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		scaleShiftClipAVX512(&x[0], &y[0], n, a, b, lo, hi)
	default:
		scaleShiftClipAVX2(&x[0], &y[0], n, a, b, lo, hi)
	}
	return n
}

func combineClipArch(a, b, lo, hi, p, q, r float32, x, dy, dx []float32) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		combineClipAVX512(&x[0], &dy[0], &dx[0], n, a, b, lo, hi, p, q, r)
	default:
		combineClipAVX2(&x[0], &dy[0], &dx[0], n, a, b, lo, hi, p, q, r)
	}
	return n
}

func gradMomentsClipArch(a, b, lo, hi, c float32, x, dy []float32, l, q *lanes) int {
	n := whole(x)
	switch {
	case n == 0:
	case Active() == AVX512:
		gradMomentsClipAVX512(&x[0], &dy[0], n, a, b, lo, hi, c, &l[0], &q[0])
	default:
		gradMomentsClipAVX2(&x[0], &dy[0], n, a, b, lo, hi, c, &l[0], &q[0])
	}
	return n
}
