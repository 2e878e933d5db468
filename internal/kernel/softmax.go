package kernel

import "math"

// Softmax computes, for each of the rows of x (rows x n), y = exp(x-max) / Σ exp(x-max), with float64 inside. y may be
// x.
func Softmax(x []float32, rows, n int, y []float32) {
	softmaxRows("Softmax", x, rows, n, y, func(v, sum float64) float64 { return math.Exp(v) / sum })
}

// LogSoftmax computes y = x - max - log Σ exp(x-max) per row. y may be x.
func LogSoftmax(x []float32, rows, n int, y []float32) {
	softmaxRows("LogSoftmax", x, rows, n, y, func(v, sum float64) float64 { return v - math.Log(sum) })
}

// softmaxRows writes y = f(x - max, sum(exp(x - max))) for every row of x [rows, n].
func softmaxRows(name string, x []float32, rows, n int, y []float32, f func(v, sum float64) float64) {
	checkPlanes(name, rows, 1, n, x, y)
	for r := range rows {
		in, out := x[r*n:(r+1)*n], y[r*n:(r+1)*n]
		top := float32(math.Inf(-1))
		for _, v := range in {
			top = max(top, v) // NaN if any is
		}
		var sum float64
		for _, v := range in {
			sum += math.Exp(float64(v - top))
		}
		for i, v := range in {
			out[i] = float32(f(float64(v-top), sum))
		}
	}
}

// SoftmaxGrad computes dx = y*(dy - Σ y*dy) per row, from the output y of Softmax. dx may be dy.
func SoftmaxGrad(y, dy []float32, rows, n int, dx []float32) {
	checkPlanes("SoftmaxGrad", rows, 1, n, y, dy, dx)
	for r := range rows {
		o, g, d := y[r*n:(r+1)*n], dy[r*n:(r+1)*n], dx[r*n:(r+1)*n]
		dot := float32(Dot(o, g))
		for i, v := range o {
			d[i] = v * (g[i] - dot)
		}
	}
}

// LogSoftmaxGrad computes dx = dy - exp(y)*Σ dy per row, from the output y of LogSoftmax. dx may be dy.
func LogSoftmaxGrad(y, dy []float32, rows, n int, dx []float32) {
	checkPlanes("LogSoftmaxGrad", rows, 1, n, y, dy, dx)
	for r := range rows {
		o, g, d := y[r*n:(r+1)*n], dy[r*n:(r+1)*n], dx[r*n:(r+1)*n]
		var sum float64
		for _, v := range g {
			sum += float64(v)
		}
		for i, v := range o {
			d[i] = float32(float64(g[i]) - math.Exp(float64(v))*sum)
		}
	}
}
