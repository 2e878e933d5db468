package kernel

// Where planes are short, a row of its own for each costs more than what is computed of it. These kernels run over
// whole samples instead, with the numbers of each channel spread over its plane.

// ColumnMoments adds x[i]-c[i] to sum[i] and (x[i]-c[i])^2 to sq[i], the square rounded: [Moments] of each column.
func ColumnMoments(x, c, sum, sq []float32) {
	sameLen("ColumnMoments", len(x), len(c), len(sum), len(sq))
	for i := columnMomentsArch(x, c, sum, sq); i < len(x); i++ {
		d := x[i] - c[i]
		sum[i] += d
		sq[i] += float32(d * d)
	}
}

// ColumnGradMoments adds dy[i] to sum[i] and dy[i]*(x[i]-c[i]) to dot[i], the product rounded: [GradMoments] of each
// column.
func ColumnGradMoments(x, dy, c, sum, dot []float32) {
	sameLen("ColumnGradMoments", len(x), len(dy), len(c), len(sum), len(dot))
	for i := columnGradMomentsArch(x, dy, c, sum, dot); i < len(x); i++ {
		sum[i] += dy[i]
		dot[i] += float32(dy[i] * (x[i] - c[i]))
	}
}

// CombineColumns computes z[i] = (a[i]*x[i] + b[i]*y[i]) + c[i], each product rounded. z may be any of the others.
func CombineColumns(a, x, b, y, c, z []float32) {
	sameLen("CombineColumns", len(x), len(a), len(b), len(y), len(c), len(z))
	for i := combineColumnsArch(x, a, b, y, c, z); i < len(x); i++ {
		z[i] = float32(a[i]*x[i]) + float32(b[i]*y[i]) + c[i]
	}
}
