package kernel

import (
	"math"

	"github.com/mpqc/mpqc/internal/par"
)

// FakeQuant computes
//
//	y[i] = s * rint(min(max(x[i]/s, lo), hi))
//
// with a true division and halves rounded to even, as ONNX QuantizeLinear does. lo and hi are whole numbers; NaN stays
// NaN. y may be x.
func FakeQuant(x []float32, s, lo, hi float32, y []float32) {
	sameLen("FakeQuant", len(x), len(y))
	n := fakeQuantArch(s, lo, hi, x, y)
	fakeQuantGo(x[n:], s, lo, hi, y[n:])
}

func fakeQuantGo(x []float32, s, lo, hi float32, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = s * roundEven(clamp(v/s, lo, hi))
	}
}

// FakeQuantGrad is the straight-through gradient of FakeQuant: with v = x[i]/s,
//
//	dx[i] = dy[i] where lo <= v <= hi, else 0
//	ds   += dy[i] * (rint(v)-v where lo <= v <= hi, lo where v < lo, hi where v > hi)
//
// It returns ds, summed in the order of [Sum]. dx may be dy.
func FakeQuantGrad(x, dy []float32, s, lo, hi float32, dx []float32) (ds float64) {
	sameLen("FakeQuantGrad", len(x), len(dy), len(dx))
	for len(x) > 0 {
		n := min(len(x), sumBlock)
		ds += fakeQuantGradBlock(x[:n], dy[:n], s, lo, hi, dx[:n])
		x, dy, dx = x[n:], dy[n:], dx[n:]
	}
	return ds
}

// fakeQuantGradBlock is FakeQuantGrad for one block.
func fakeQuantGradBlock(x, dy []float32, s, lo, hi float32, dx []float32) float64 {
	var l lanes
	for i := fakeQuantGradArch(s, lo, hi, x, dy, dx, &l); i < len(x); i++ {
		v := x[i] / s
		c := clamp(v, lo, hi)
		slope := roundEven(c)
		g := dy[i]
		if c == v {
			slope -= v
			dx[i] = g
		} else {
			dx[i] = 0
		}
		l[i%sumLanes] += float32(g * slope)
	}
	return l.fold()
}

// runRows calls f for every row, several rows to a task so that a task is worth handing over.
func runRows(pool *par.Pool, rows, per int, f func(row int)) {
	group := max(1, blockFloats/max(per, 1))
	pool.Run((rows+group-1)/group, func(task int) {
		for r := task * group; r < min((task+1)*group, rows); r++ {
			f(r)
		}
	})
}

// blockFloats is the size of a task in element-wise work: some microseconds, and small enough for L2.
const blockFloats = 1 << 14

func clamp(v, lo, hi float32) float32 {
	if v < lo {
		return lo
	}
	if v > hi {
		return hi
	}
	return v
}

func roundEven(v float32) float32 { return float32(math.RoundToEven(float64(v))) }
