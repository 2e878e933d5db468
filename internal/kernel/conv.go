package kernel

import "github.com/mpqc/mpqc/internal/par"

// ConvShape describes a 2-D convolution in NCHW order: x is N x C x H x W, w is K x C/Groups x R x S, y is N x K x OH x
// OW. PadT, PadL, PadB and PadR are zero rows and columns around x.
type ConvShape struct {
	N, C, H, W             int
	K, R, S                int
	StrideH, StrideW       int
	PadT, PadL, PadB, PadR int
	DilH, DilW             int
	Groups                 int
	OH, OW                 int
}

// OutputSize is OH and OW as the other fields imply them.
func (s ConvShape) OutputSize() (oh, ow int) {
	oh = (s.H+s.PadT+s.PadB-s.DilH*(s.R-1)-1)/s.StrideH + 1
	ow = (s.W+s.PadL+s.PadR-s.DilW*(s.S-1)-1)/s.StrideW + 1
	return oh, ow
}

// MACs is the number of multiply-adds of one pass, padding counted.
func (s ConvShape) MACs() int64 {
	return int64(s.N) * int64(s.K) * int64(s.OH) * int64(s.OW) * int64(s.C/s.Groups) * int64(s.R) * int64(s.S)
}

func (s ConvShape) checkShape(name string) {
	if s.Groups < 1 || s.C%s.Groups != 0 || s.K%s.Groups != 0 || s.R < 1 || s.S < 1 ||
		s.StrideH < 1 || s.StrideW < 1 || s.DilH < 1 || s.DilW < 1 || s.PadT < 0 || s.PadL < 0 || s.PadB < 0 || s.PadR < 0 {
		panic("kernel: " + name + ": bad convolution shape")
	}
	if oh, ow := s.OutputSize(); s.OH != oh || s.OW != ow || oh < 1 || ow < 1 {
		panic("kernel: " + name + ": OH, OW do not follow from the shape")
	}
}

func (s ConvShape) checkData(name string, x, w, y []float32) {
	if len(x) < s.N*s.C*s.H*s.W || len(w) < s.K*s.C/s.Groups*s.R*s.S || len(y) < s.N*s.K*s.OH*s.OW {
		panic("kernel: " + name + ": short slice")
	}
}

// depthwise says that every output channel reads one input channel of its own.
func (s ConvShape) depthwise() bool { return s.Groups == s.C && s.K == s.C && s.Groups > 1 }

// planar says which of the two ways a weight gradient is computed.
func (s ConvShape) planar() bool { return s.C/s.Groups < segWidth }

// flat treats the plane of a 1x1 convolution as one long row: then it needs neither a padded copy nor a row structure.
func (s ConvShape) flat() ConvShape {
	if s.R == 1 && s.S == 1 && s.StrideH == 1 && s.StrideW == 1 && s.PadT+s.PadL+s.PadB+s.PadR == 0 {
		s.W, s.OW = s.H*s.W, s.OH*s.OW
		s.H, s.OH = 1, 1
	}
	return s
}

// ConvScratch is the number of floats of working memory that the three convolution passes want for shape s on a pool of
// that many threads.
func ConvScratch(s ConvShape, threads int) int { return NewConv(s).Scratch(threads) }

// ConvForward computes the convolution (cross-correlation, as ONNX Conv)
//
//	y[n,k,oy,ox] = Σ_{c,r,q} x[n, g*C/G+c, oy*StrideH-PadT+r*DilH, ox*StrideW-PadL+q*DilW] * w[k,c,r,q]
//
// where g = k / (K/G) and x is 0 outside. Less scratch than [ConvScratch] asks for, or nil, makes it allocate.
// What is called often should use [Conv], which works tables out once.
func ConvForward(pool *par.Pool, s ConvShape, x, w, y, scratch []float32) {
	NewConv(s).Forward(pool, x, w, y, scratch)
}

// ConvBackwardData computes the gradient of [ConvForward] with respect to x, overwriting dx:
//
//	dx[n,c,iy,ix] = Σ dy[n,k,oy,ox] * w[k,c,r,q] over all k, r, q, oy, ox that read x[n,c,iy,ix]
func ConvBackwardData(pool *par.Pool, s ConvShape, w, dy, dx, scratch []float32) {
	NewConv(s).BackwardData(pool, w, dy, dx, scratch)
}

// ConvBackwardWeight computes the gradient of [ConvForward] with respect to w, overwriting dw:
//
//	dw[k,c,r,q] = Σ_{n,oy,ox} dy[n,k,oy,ox] * x[n, ..., oy*StrideH-PadT+r*DilH, ox*StrideW-PadL+q*DilW]
func ConvBackwardWeight(pool *par.Pool, s ConvShape, x, dy, dw, scratch []float32) {
	NewConv(s).BackwardWeight(pool, x, dy, dw, scratch)
}

// BiasForward adds b[k] to every element of channel k of y (n x k x hw).
func BiasForward(pool *par.Pool, y []float32, n, k, hw int, b []float32) {
	checkPlanes("BiasForward", n, k, hw, y)
	checkChannels("BiasForward", k, b)
	runRows(pool, n*k, hw, func(row int) {
		r := y[row*hw : (row+1)*hw]
		ScaleShift(1, b[row%k], r, r)
	})
}

// BiasBackward computes db[k] = Σ dy over images and pixels.
func BiasBackward(pool *par.Pool, dy []float32, n, k, hw int, db []float32) {
	checkPlanes("BiasBackward", n, k, hw, dy)
	checkChannels("BiasBackward", k, db)
	pool.Run(k, func(ch int) {
		var sum float64
		for i := range n {
			at := (i*k + ch) * hw
			sum += Sum(dy[at : at+hw])
		}
		db[ch] = float32(sum)
	})
}
