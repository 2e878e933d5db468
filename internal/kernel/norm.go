package kernel

import "github.com/mpqc/mpqc/internal/par"

// normImages is the number of images whose sums one task takes; fixed, so that the order of additions is.
const normImages = 32

// forPlanes calls f for every channel and every block of normImages images [n0, n1).
func forPlanes(pool *par.Pool, n, c int, f func(block, ch, n0, n1 int)) {
	blocks := (n + normImages - 1) / normImages
	pool.Run(blocks*c, func(task int) {
		block, ch := task/c, task%c
		f(block, ch, block*normImages, min((block+1)*normImages, n))
	})
}

func checkPlanes(name string, n, c, hw int, tensors ...[]float32) {
	for _, t := range tensors {
		if len(t) < n*c*hw {
			panic("kernel: " + name + ": tensor shorter than N*C*HW")
		}
	}
}

func checkChannels(name string, c int, vectors ...[]float32) {
	for _, v := range vectors {
		if len(v) < c {
			panic("kernel: " + name + ": per-channel vector shorter than C")
		}
	}
}

// NormStats computes, over the N and HW axes of x (N x C x HW), the mean and the biased variance of every channel:
//
//	mean[c] = Σ x / (N*HW),  variance[c] = Σ (x-mean[c])^2 / (N*HW)
//
// Squares are taken around the mean of the channel's first row, so one pass does without cancellation.
func NormStats(pool *par.Pool, x []float32, n, c, hw int, mean, variance []float32) {
	checkPlanes("NormStats", n, c, hw, x)
	checkChannels("NormStats", c, mean, variance)
	blocks := (n + normImages - 1) / normImages
	sums, squares := make([]float64, blocks*c), make([]float64, blocks*c)
	center := func(ch int) float32 { return float32(Sum(x[ch*hw:(ch+1)*hw]) / float64(hw)) }
	forPlanes(pool, n, c, func(block, ch, n0, n1 int) {
		around := center(ch)
		var sum, sq float64
		for i := n0; i < n1; i++ {
			at := (i*c + ch) * hw
			s, q := Moments(x[at:at+hw], around)
			sum += s
			sq += q
		}
		sums[block*c+ch], squares[block*c+ch] = sum, sq
	})
	count := float64(n * hw)
	for ch := range c {
		var sum, sq float64
		for b := range blocks {
			sum += sums[b*c+ch]
			sq += squares[b*c+ch]
		}
		shift := sum / count
		mean[ch] = float32(float64(center(ch)) + shift)
		variance[ch] = float32(max(sq/count-shift*shift, 0))
	}
}

// NormApply computes y = x*scale[c] + shift[c] over x (N x C x HW). y may be x.
func NormApply(pool *par.Pool, x []float32, n, c, hw int, scale, shift, y []float32) {
	checkPlanes("NormApply", n, c, hw, x, y)
	checkChannels("NormApply", c, scale, shift)
	runRows(pool, n*c, hw, func(row int) {
		ch := row % c
		ScaleShift(scale[ch], shift[ch], x[row*hw:(row+1)*hw], y[row*hw:(row+1)*hw])
	})
}

// NormSums computes the two reductions of the backward pass of y = gamma*(x-mean)*invStd + beta:
//
//	dbeta[c] = Σ dy,  dgamma[c] = Σ dy*(x-mean[c])*invStd[c]
func NormSums(pool *par.Pool, x, dy []float32, n, c, hw int, mean, invStd, dgamma, dbeta []float32) {
	checkPlanes("NormSums", n, c, hw, x, dy)
	checkChannels("NormSums", c, mean, invStd, dgamma, dbeta)
	normSums(pool, n, c, invStd, dgamma, dbeta, func(i, ch int) (sum, dot float64) {
		at := (i*c + ch) * hw
		return GradMoments(x[at:at+hw], dy[at:at+hw], mean[ch])
	})
}

// normSums adds up what row says of every image and channel, in an order fixed by the shape.
func normSums(pool *par.Pool, n, c int, invStd, dgamma, dbeta []float32, row func(image, ch int) (sum, dot float64)) {
	blocks := (n + normImages - 1) / normImages
	sums, dots := make([]float64, blocks*c), make([]float64, blocks*c)
	forPlanes(pool, n, c, func(block, ch, n0, n1 int) {
		var sum, dot float64
		for i := n0; i < n1; i++ {
			s, d := row(i, ch)
			sum += s
			dot += d
		}
		sums[block*c+ch], dots[block*c+ch] = sum, dot
	})
	for ch := range c {
		var sum, dot float64
		for b := range blocks {
			sum += sums[b*c+ch]
			dot += dots[b*c+ch]
		}
		dbeta[ch] = float32(sum)
		dgamma[ch] = float32(dot * float64(invStd[ch]))
	}
}

// NormBackward computes dgamma and dbeta as [NormSums] does, then, with M = N*HW and xhat = (x-mean)*invStd,
//
//	dx = gamma*invStd * (dy - dbeta/M - xhat*dgamma/M)   // mean and variance came from this batch
//	dx = gamma*invStd * dy                               // if frozen: they are constants
//
// dx may be dy, or nil if it is not wanted.
func NormBackward(pool *par.Pool, x, dy []float32, n, c, hw int, mean, invStd, gamma []float32, frozen bool, dgamma, dbeta, dx []float32) {
	NormSums(pool, x, dy, n, c, hw, mean, invStd, dgamma, dbeta)
	if dx == nil {
		return
	}
	checkPlanes("NormBackward", n, c, hw, dx)
	checkChannels("NormBackward", c, gamma)
	runRows(pool, n*c, hw, func(row int) {
		ch := row % c
		rx, rdy, rdx := x[row*hw:(row+1)*hw], dy[row*hw:(row+1)*hw], dx[row*hw:(row+1)*hw]
		p, q, r := NormSlopes(float32(n*hw), mean[ch], invStd[ch], gamma[ch], dgamma[ch], dbeta[ch], frozen)
		if frozen {
			Scale(p, rdy, rdx)
			return
		}
		Combine(p, rdy, q, rx, r, rdx)
	})
}

// NormSlopes writes the data gradient of a channel in [NormBackward] as dx = p*dy + q*x + r; m is the number of values
// behind its mean.
func NormSlopes(m, mean, invStd, gamma, dgamma, dbeta float32, frozen bool) (p, q, r float32) {
	p = gamma * invStd
	if frozen {
		return p, 0, 0
	}
	q = -p * invStd * dgamma / m
	return p, q, float32(-p*dbeta/m) - float32(q*mean)
}
