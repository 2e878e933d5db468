package kernel

import "github.com/mpqc/mpqc/internal/par"

// normImages is the number of images whose sums one task takes; fixed, so that the order of additions is.
const normImages = 32

// normFloats is how much of an image one task takes at a time: enough for the memory to stream, where single rows would
// each wait for their first cache lines.
const normFloats = 1 << 13

// forPlanes calls f for every image and channel. Images of a channel come in order within their block of normImages, in
// one task.
func forPlanes(pool *par.Pool, n, c, hw int, f func(block, image, ch int)) {
	blocks := (n + normImages - 1) / normImages
	width := max(1, normFloats/max(hw, 1))
	groups := (c + width - 1) / width
	pool.Run(blocks*groups, func(task int) {
		block, c0 := task/groups, task%groups*width
		for i := block * normImages; i < min((block+1)*normImages, n); i++ {
			for ch := c0; ch < min(c0+width, c); ch++ {
				f(block, i, ch)
			}
		}
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
	for ch := range c {
		mean[ch] = float32(Sum(x[ch*hw:(ch+1)*hw]) / float64(hw))
	}
	forPlanes(pool, n, c, hw, func(block, i, ch int) {
		at := (i*c + ch) * hw
		s, q := Moments(x[at:at+hw], mean[ch])
		sums[block*c+ch] += s
		squares[block*c+ch] += q
	})
	count := float64(n * hw)
	for ch := range c {
		var sum, sq float64
		for b := range blocks {
			sum += sums[b*c+ch]
			sq += squares[b*c+ch]
		}
		shift := sum / count
		mean[ch] = float32(float64(mean[ch]) + shift)
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
	blocks := (n + normImages - 1) / normImages
	sums, dots := make([]float64, blocks*c), make([]float64, blocks*c)
	forPlanes(pool, n, c, hw, func(block, i, ch int) {
		at := (i*c + ch) * hw
		s, d := GradMoments(x[at:at+hw], dy[at:at+hw], mean[ch])
		sums[block*c+ch] += s
		dots[block*c+ch] += d
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
