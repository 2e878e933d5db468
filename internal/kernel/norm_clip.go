package kernel

import "github.com/mpqc/mpqc/internal/par"

// A normalisation and the Relu or Clip behind it are bound by memory, not arithmetic: the functions here do both in one
// pass, and find out again in the backward pass what was clipped instead of keeping the values before it.

// ScaleShiftClip computes y[i] = min(max(a*x[i]+b, lo), hi), to the bit what ScaleShift and Clip do. y may be x.
func ScaleShiftClip(a, b float32, x []float32, lo, hi float32, y []float32) {
	sameLen("ScaleShiftClip", len(x), len(y))
	for i := scaleShiftClipArch(a, b, lo, hi, x, y); i < len(x); i++ {
		y[i] = clamp(float32(a*x[i])+b, lo, hi)
	}
}

// NormApplyClip computes y = min(max(x*scale[c] + shift[c], lo), hi) over x (N x C x HW). y may be x.
func NormApplyClip(pool *par.Pool, x []float32, n, c, hw int, scale, shift []float32, lo, hi float32, y []float32) {
	checkPlanes("NormApplyClip", n, c, hw, x, y)
	checkChannels("NormApplyClip", c, scale, shift)
	runRows(pool, n*c, hw, func(row int) {
		ch := row % c
		ScaleShiftClip(scale[ch], shift[ch], x[row*hw:(row+1)*hw], lo, hi, y[row*hw:(row+1)*hw])
	})
}

// NormClip says what [NormApplyClip] applied: the scale and shift of every channel, and the limits.
type NormClip struct {
	Scale, Shift []float32
	Lo, Hi       float32
}

// NormBackwardClip is [NormBackward] for dy*(Lo < x*Scale[c]+Shift[c] < Hi), the gradient through [NormApplyClip]. dx may
// be dy, or nil if it is not wanted.
func NormBackwardClip(pool *par.Pool, x, dy []float32, n, c, hw int, clip NormClip, mean, invStd, gamma []float32, frozen bool, dgamma, dbeta, dx []float32) {
	checkPlanes("NormBackwardClip", n, c, hw, x, dy)
	checkChannels("NormBackwardClip", c, clip.Scale, clip.Shift, mean, invStd, gamma, dgamma, dbeta)
	normSums(pool, n, c, invStd, dgamma, dbeta, func(i, ch int) (sum, dot float64) {
		at := (i*c + ch) * hw
		return clip.gradMoments(x[at:at+hw], dy[at:at+hw], ch, mean[ch])
	})
	if dx == nil {
		return
	}
	checkPlanes("NormBackwardClip", n, c, hw, dx)
	runRows(pool, n*c, hw, func(row int) {
		ch := row % c
		p, q, r := NormSlopes(float32(n*hw), mean[ch], invStd[ch], gamma[ch], dgamma[ch], dbeta[ch], frozen)
		clip.combine(x[row*hw:(row+1)*hw], dy[row*hw:(row+1)*hw], ch, p, q, r, dx[row*hw:(row+1)*hw])
	})
}

// gradMoments is gradMoments for the clipped gradient.
func (n NormClip) gradMoments(x, dy []float32, ch int, c float32) (sum, dot float64) {
	a, b := n.Scale[ch], n.Shift[ch]
	for len(x) > 0 {
		var l, q lanes
		m := min(len(x), sumBlock)
		for i := gradMomentsClipArch(a, b, n.Lo, n.Hi, c, x[:m], dy, &l, &q); i < m; i++ {
			g := n.pass(a, b, x[i], dy[i])
			l[i%sumLanes] += g
			q[i%sumLanes] += float32(g * (x[i] - c))
		}
		sum += l.fold()
		dot += q.fold()
		x, dy = x[m:], dy[m:]
	}
	return sum, dot
}

// combine computes dx[i] = p*g + q*x[i] + r with the clipped gradient g.
func (n NormClip) combine(x, dy []float32, ch int, p, q, r float32, dx []float32) {
	a, b := n.Scale[ch], n.Shift[ch]
	for i := combineClipArch(a, b, n.Lo, n.Hi, p, q, r, x, dy, dx); i < len(x); i++ {
		dx[i] = float32(p*n.pass(a, b, x[i], dy[i])) + float32(q*x[i]) + r
	}
}

// pass is dy where the value was not clipped, else 0.
func (n NormClip) pass(a, b, x, dy float32) float32 {
	if v := float32(a*x) + b; v > n.Lo && v < n.Hi {
		return dy
	}
	return 0
}
