package kernel

// sameLen panics unless all slices are at least as long as the first.
func sameLen(name string, n int, others ...int) {
	for _, o := range others {
		if o < n {
			panic("kernel: " + name + ": slices of different length")
		}
	}
}

// Add computes y[i] = a[i] + b[i]. y may be a or b.
func Add(a, b, y []float32) {
	sameLen("Add", len(y), len(a), len(b))
	n := addArch(a[:len(y)], b, y)
	addGo(a[n:], b[n:], y[n:])
}

func addGo(a, b, y []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

// Mul computes y[i] = a[i] * b[i]. y may be a or b.
func Mul(a, b, y []float32) {
	sameLen("Mul", len(y), len(a), len(b))
	n := mulArch(a[:len(y)], b, y)
	mulGo(a[n:], b[n:], y[n:])
}

func mulGo(a, b, y []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] * b[i]
	}
}

// MulAdd computes y[i] = a[i]*x[i] + b[i], the product rounded. y may be any of the others.
func MulAdd(x, a, b, y []float32) {
	sameLen("MulAdd", len(x), len(a), len(b), len(y))
	for i := mulAddArch(x, a, b, y); i < len(x); i++ {
		y[i] = float32(a[i]*x[i]) + b[i]
	}
}

// Axpy computes y[i] += alpha*x[i], rounded after the product.
func Axpy(alpha float32, x, y []float32) {
	sameLen("Axpy", len(x), len(y))
	n := axpyArch(alpha, x, y)
	axpyGo(alpha, x[n:], y[n:])
}

func axpyGo(alpha float32, x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float32(alpha * v)
	}
}

// Scale computes y[i] = alpha*x[i]. y may be x.
func Scale(alpha float32, x, y []float32) {
	sameLen("Scale", len(x), len(y))
	ScaleShift(alpha, negZero, x, y)
}

// ScaleShift computes y[i] = a*x[i] + b, the product rounded. y may be x.
func ScaleShift(a, b float32, x, y []float32) {
	sameLen("ScaleShift", len(x), len(y))
	n := scaleShiftArch(a, b, x, y)
	scaleShiftGo(a, b, x[n:], y[n:])
}

func scaleShiftGo(a, b float32, x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = float32(a*v) + b
	}
}

// Combine computes z[i] = (a*x[i] + b*y[i]) + c, each product rounded. z may be x or y.
func Combine(a float32, x []float32, b float32, y []float32, c float32, z []float32) {
	sameLen("Combine", len(x), len(y), len(z))
	n := combineArch(a, b, c, x, y, z)
	combineGo(a, x[n:], b, y[n:], c, z[n:])
}

func combineGo(a float32, x []float32, b float32, y []float32, c float32, z []float32) {
	y, z = y[:len(x)], z[:len(x)]
	for i, v := range x {
		z[i] = float32(a*v) + float32(b*y[i]) + c
	}
}

// Relu computes y[i] = max(x[i], 0); NaN stays NaN. y may be x.
func Relu(x, y []float32) { Clip(x, 0, inf, y) }

// ReluGrad computes dx[i] = dy[i] where x[i] > 0, else 0. x may as well be the output of Relu. dx may be dy.
func ReluGrad(x, dy, dx []float32) { ClipGrad(x, dy, 0, inf, dx) }

// Clip computes y[i] = min(max(x[i], lo), hi); NaN stays NaN. y may be x.
func Clip(x []float32, lo, hi float32, y []float32) {
	sameLen("Clip", len(x), len(y))
	n := clipArch(lo, hi, x, y)
	clipGo(x[n:], lo, hi, y[n:])
}

func clipGo(x []float32, lo, hi float32, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		if v < lo { // false for NaN, and -0 stays at lo = 0: what the vector maximum does with x as its second operand
			v = lo
		}
		if v > hi {
			v = hi
		}
		y[i] = v
	}
}

// ClipGrad computes dx[i] = dy[i] where lo < x[i] < hi, else 0 (NaN in x gives 0). dx may be dy.
func ClipGrad(x, dy []float32, lo, hi float32, dx []float32) {
	sameLen("ClipGrad", len(x), len(dy), len(dx))
	n := clipGradArch(lo, hi, x, dy, dx)
	clipGradGo(x[n:], dy[n:], lo, hi, dx[n:])
}

func clipGradGo(x, dy []float32, lo, hi float32, dx []float32) {
	dy, dx = dy[:len(x)], dx[:len(x)]
	for i, v := range x {
		g := float32(0)
		if v > lo && v < hi {
			g = dy[i]
		}
		dx[i] = g
	}
}
