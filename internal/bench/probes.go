package bench

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/par"
)

// probes lists the kernels of a training step at sizes of small image networks, and those that choose codes of weights.
func probes(pool *par.Pool) []probe {
	list := []probe{gemmProbe(pool, 512)}
	for _, s := range []kernel.ConvShape{
		{N: 64, C: 16, H: 32, W: 32, K: 16, R: 3, S: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 1},
		{N: 64, C: 64, H: 32, W: 32, K: 64, R: 3, S: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 1},
		{N: 64, C: 128, H: 16, W: 16, K: 128, R: 3, S: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 1},
		{N: 64, C: 256, H: 8, W: 8, K: 256, R: 3, S: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 1},
		{N: 64, C: 192, H: 16, W: 16, K: 64, R: 1, S: 1, Groups: 1},
		{N: 64, C: 192, H: 16, W: 16, K: 192, R: 3, S: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 192},
	} {
		s.StrideH, s.StrideW, s.DilH, s.DilW = 1, 1, 1, 1
		s.OH, s.OW = s.OutputSize()
		list = append(list, convProbes(pool, s)...)
	}
	return append(append(list, roundingProbes(pool)...), mapProbes(pool)...)
}

// roundingProbes lists the kernels of choosing codes: rows of a factor, in pieces that stay in the fastest cache, and
// the dot products that make it. Products are rounded before they are added. The most that can be reached is half the
// peak of fused multiply-adds, and a quarter in double precision.
func roundingProbes(pool *par.Pool) []probe {
	const rows, width, n, together = 16, 256, 2304, 4
	threads := pool.Threads()
	factors, piece, y := noise(rows), noise(rows*width), noise(threads*width)
	wide := make([]float64, (together+1)*n)
	for i, v := range noise(len(wide)) {
		wide[i] = float64(v)
	}
	x, sums := [together][]float64{}, make([][together]float64, threads)
	for i := range x {
		x[i] = wide[i*n : (i+1)*n]
	}
	return []probe{
		{"rows added up", fmt.Sprintf("%d of %d", rows, width), int64(2 * threads * rows * width), 0, func() {
			pool.Run(threads, func(i int) { kernel.AxpyRows(factors, piece, width, y[i*width:(i+1)*width]) })
		}},
		{"dot products, double", fmt.Sprintf("%d of %d", together, n), int64(2 * threads * together * n), 0, func() {
			pool.Run(threads, func(i int) { sums[i] = kernel.Dots64(&x, wide[together*n:]) })
		}},
	}
}

// gemmProbe multiplies two n x n matrices.
func gemmProbe(pool *par.Pool, n int) probe {
	a, b, c := noise(n*n), noise(n*n), make([]float32, n*n)
	return probe{"gemm", fmt.Sprintf("%dx%dx%d", n, n, n), 2 * int64(n) * int64(n) * int64(n), 0, func() {
		kernel.Gemm(pool, false, false, n, n, n, 1, a, n, b, n, 0, c, n)
	}}
}

// convProbes lists a convolution and its two backward passes.
func convProbes(pool *par.Pool, s kernel.ConvShape) []probe {
	x, y := noise(s.N*s.C*s.H*s.W), make([]float32, s.N*s.K*s.OH*s.OW)
	w := noise(s.K * s.C / s.Groups * s.R * s.S)
	dy, dx, dw := noise(len(y)), make([]float32, len(x)), make([]float32, len(w))
	scratch := make([]float32, kernel.ConvScratch(s, pool.Threads()))
	shape := fmt.Sprintf("%dx%dx%dx%d, %d of %dx%d", s.N, s.C, s.H, s.W, s.K, s.R, s.S)
	if s.Groups > 1 {
		shape += ", depthwise"
	}
	flops, bytes := 2*s.MACs(), int64(0)
	if s.Groups > 1 { // nine products per element: bound by memory
		flops, bytes = 0, 4*int64(len(x)+len(y))
	}
	list := []probe{
		{"conv forward", shape, flops, bytes, func() { kernel.ConvForward(pool, s, x, w, y, scratch) }},
		{"conv backward data", shape, flops, bytes, func() { kernel.ConvBackwardData(pool, s, w, dy, dx, scratch) }},
		{"conv backward weight", shape, flops, bytes, func() { kernel.ConvBackwardWeight(pool, s, x, dy, dw, scratch) }},
	}
	if s.Groups > 1 {
		return list
	}
	codes, wide, steps := make([]float32, len(x)), make([]float32, len(w)), make([]float32, s.K)
	kernel.FakeQuant(x, 0.25, 0, 15, codes)
	kernel.FakeQuant(w, 0.25, -8, 7, wide)
	for k := range steps {
		steps[k] = 0.25
	}
	i := kernel.NewIntConv(s, false, pool.Threads())
	work := make([]float32, i.Scratch())
	return append(list, probe{"conv forward of integers", shape, flops, 0, func() {
		i.Weights(pool, wide, steps, s.C/s.Groups*s.R*s.S, s.R*s.S)
		i.Forward(pool, codes, 0.25, y, work)
	}})
}

// mapProbes lists kernels bound by memory, on tensors of 50 MB.
func mapProbes(pool *par.Pool) []probe {
	const n, c, hw = 192, 64, 32 * 32
	x, dy, y := noise(n*c*hw), noise(n*c*hw), make([]float32, n*c*hw)
	shape := fmt.Sprintf("%dx%dx32x32", n, c)
	channel := func() []float32 { return make([]float32, c) }
	mean, inv, gamma, dgamma, dbeta := channel(), channel(), channel(), channel(), channel()
	for i := range inv {
		inv[i], gamma[i] = 1, 1
	}
	blocks := func(f func(lo, hi int)) func() {
		const piece = 1 << 14
		return func() { pool.Run(len(x)/piece, func(i int) { f(i*piece, (i+1)*piece) }) }
	}
	size := int64(4 * len(x))
	return []probe{
		{"add", shape, 0, 3 * size, blocks(func(lo, hi int) { kernel.Add(x[lo:hi], dy[lo:hi], y[lo:hi]) })},
		{"relu", shape, 0, 2 * size, blocks(func(lo, hi int) { kernel.Relu(x[lo:hi], y[lo:hi]) })},
		{"fake-quant", shape, 0, 2 * size, blocks(func(lo, hi int) { kernel.FakeQuant(x[lo:hi], 0.1, -8, 7, y[lo:hi]) })},
		{"fake-quant backward", shape, 0, 3 * size, blocks(func(lo, hi int) {
			kernel.FakeQuantGrad(x[lo:hi], dy[lo:hi], 0.1, -8, 7, y[lo:hi])
		})},
		{"norm statistics", shape, 0, size, func() { kernel.NormStats(pool, x, n, c, hw, mean, y[:c]) }},
		{"norm", shape, 0, 2 * size, func() { kernel.NormApply(pool, x, n, c, hw, inv, mean, y) }},
		{"norm backward", shape, 0, 5 * size, func() {
			kernel.NormBackward(pool, x, dy, n, c, hw, mean, inv, gamma, false, dgamma, dbeta, y)
		}},
		{"global average pool", shape, 0, size, func() {
			pool.Run(n, func(i int) { kernel.GlobalAvgPoolForward(x[i*c*hw:], c, hw, y[i*c:]) })
		}},
	}
}
