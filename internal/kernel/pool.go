package kernel

import "github.com/mpqc/mpqc/internal/par"

// PoolShape describes a pooling: windows of R x S over the H x W planes of N*C channels.
type PoolShape struct {
	N, C, H, W             int
	R, S                   int
	StrideH, StrideW       int
	PadT, PadL, PadB, PadR int
	DilH, DilW             int
	OH, OW                 int
	CountPad               bool // AveragePool divides by R*S even where the window hangs over (count_include_pad)
}

func (s PoolShape) check(name string, x, y []float32) {
	if s.R < 1 || s.S < 1 || s.StrideH < 1 || s.StrideW < 1 || s.DilH < 1 || s.DilW < 1 {
		panic("kernel: " + name + ": window, strides and dilations must be positive")
	}
	if len(x) < s.N*s.C*s.H*s.W || len(y) < s.N*s.C*s.OH*s.OW {
		panic("kernel: " + name + ": short slice")
	}
}

// taps is ConvShape.taps for the windows of a pooling.
func (s PoolShape) taps(f func(t, oy, iy, lo, hi, ix int)) {
	ConvShape{
		H: s.H, W: s.W, R: s.R, S: s.S, StrideH: s.StrideH, StrideW: s.StrideW, PadT: s.PadT, PadL: s.PadL,
		DilH: s.DilH, DilW: s.DilW, OH: s.OH, OW: s.OW,
	}.taps(f)
}

// Pooling is a pooling of one shape with what it works out from the shape. It allocates nothing in its calls, and
// belongs to one goroutine.
type Pooling struct {
	shape   PoolShape
	factors []float32 // of AveragePool
	x, y    []float32 // of the call in progress; dx and dy backward
	index   []int32
	tasks   [4]func(task int)
	group   int // planes of a task
}

// NewPooling prepares a pooling.
func NewPooling(s PoolShape) *Pooling {
	p := &Pooling{shape: s, group: max(1, blockFloats/max(s.H*s.W, 1))}
	p.tasks = [4]func(task int){p.maxForward, p.maxBackward, p.avgForward, p.avgBackward}
	return p
}

func (p *Pooling) run(pool *par.Pool, name string, task int, x, y []float32, index []int32) {
	p.shape.check(name, x, y)
	p.x, p.y, p.index = x, y, index
	pool.Run((p.shape.N*p.shape.C+p.group-1)/p.group, p.tasks[task])
	p.x, p.y, p.index = nil, nil, nil
}

// planes is the range of planes of a task.
func (p *Pooling) planes(task int) (lo, hi int) {
	return task * p.group, min((task+1)*p.group, p.shape.N*p.shape.C)
}

// MaxForward computes y = max over the window of x, and the position of that maximum in its input plane in index
// (N*C*OH*OW; nil if no backward follows). The first of equal maxima counts, and NaN counts as larger than anything.
// A window without a tap gives -Inf and index -1.
func (p *Pooling) MaxForward(pool *par.Pool, x, y []float32, index []int32) {
	p.run(pool, "MaxPoolForward", 0, x, y, index)
}

// MaxBackward computes dx[index] += dy after clearing dx; H*W of the shape gives the plane size.
func (p *Pooling) MaxBackward(pool *par.Pool, dy []float32, index []int32, dx []float32) {
	p.run(pool, "MaxPoolBackward", 1, dx, dy, index)
}

// AvgForward computes y = (Σ window of x) * (1 / divisor), the divisor being the taps inside the plane, or with
// CountPad those inside the padded plane.
func (p *Pooling) AvgForward(pool *par.Pool, x, y []float32) {
	p.divide()
	p.run(pool, "AvgPoolForward", 2, x, y, nil)
}

// AvgBackward computes dx = Σ over windows of dy * (1 / divisor).
func (p *Pooling) AvgBackward(pool *par.Pool, dy, dx []float32) {
	p.divide()
	p.run(pool, "AvgPoolBackward", 3, dx, dy, nil)
}

func (p *Pooling) divide() {
	if p.factors == nil {
		p.factors = p.shape.factors()
	}
}

// AvgPoolForward is Pooling.AvgForward for one call.
func AvgPoolForward(pool *par.Pool, s PoolShape, x, y []float32) {
	NewPooling(s).AvgForward(pool, x, y)
}

func (p *Pooling) maxForward(task int) {
	s := &p.shape
	in, out := s.H*s.W, s.OH*s.OW
	for k, hi := p.planes(task); k < hi; k++ {
		best := p.y[k*out : (k+1)*out]
		fill(best, -inf)
		if p.index == nil {
			s.maxValues(p.x[k*in:(k+1)*in], best)
			continue
		}
		arg := p.index[k*out : (k+1)*out]
		for i := range arg {
			arg[i] = -1
		}
		s.maxIndices(p.x[k*in:(k+1)*in], best, arg)
	}
}

func (s PoolShape) maxValues(x, best []float32) {
	s.taps(func(_, oy, iy, lo, hi, ix int) {
		row, at := best[oy*s.OW+lo:oy*s.OW+hi], iy*s.W+ix
		for i, b := range row {
			row[i] = max(b, x[at]) // NaN if either is
			at += s.StrideW
		}
	})
}

func (s PoolShape) maxIndices(x, best []float32, arg []int32) {
	s.taps(func(_, oy, iy, lo, hi, ix int) {
		row, args, at := best[oy*s.OW+lo:oy*s.OW+hi], arg[oy*s.OW+lo:oy*s.OW+hi], iy*s.W+ix
		for i, b := range row {
			if v := x[at]; v > b || args[i] < 0 || v != v && b == b {
				row[i], args[i] = v, int32(at)
			}
			at += s.StrideW
		}
	})
}

func (p *Pooling) maxBackward(task int) {
	in, out := p.shape.H*p.shape.W, p.shape.OH*p.shape.OW
	for k, hi := p.planes(task); k < hi; k++ {
		plane := p.x[k*in : (k+1)*in]
		clear(plane)
		for o, at := range p.index[k*out : (k+1)*out] {
			if at >= 0 {
				plane[at] += p.y[k*out+o]
			}
		}
	}
}

// factors are 1/divisor of every output of a plane. The divisor is the number of taps inside the plane, or with
// CountPad inside the padded plane: ceil_mode windows may reach beyond the padding, and those taps never count.
func (s PoolShape) factors() []float32 {
	top, bottom, left, right := 0, s.H, 0, s.W
	if s.CountPad {
		top, bottom, left, right = -s.PadT, s.H+s.PadB, -s.PadL, s.W+s.PadR
	}
	count := func(o, stride, pad, taps, dil, lo, hi int) int {
		n := 0
		for t := range taps {
			if at := o*stride - pad + t*dil; at >= lo && at < hi {
				n++
			}
		}
		return n
	}
	f := make([]float32, 0, s.OH*s.OW)
	for oy := range s.OH {
		rows := count(oy, s.StrideH, s.PadT, s.R, s.DilH, top, bottom)
		for ox := range s.OW {
			f = append(f, 1/float32(max(1, rows*count(ox, s.StrideW, s.PadL, s.S, s.DilW, left, right))))
		}
	}
	return f
}

// halving is the longest output row that the short cut for windows of 2 x 2 takes.
const halving = 256

// halves says that windows of 2 x 2 tile the plane.
func (s *PoolShape) halves() bool {
	return s.R == 2 && s.S == 2 && s.StrideH == 2 && s.StrideW == 2 && s.PadT == 0 && s.PadL == 0 && s.DilH == 1 && s.DilW == 1 &&
		2*s.OH <= s.H && 2*s.OW == s.W && s.OW <= halving
}

func (p *Pooling) avgForward(task int) {
	s := &p.shape
	in, out := s.H*s.W, s.OH*s.OW
	var even, odd [halving]float32
	for k, hi := p.planes(task); k < hi; k++ {
		from, to := p.x[k*in:(k+1)*in], p.y[k*out:(k+1)*out]
		clear(to)
		if s.halves() { // the same additions in the same order
			for r := range 2 * s.OH {
				row := to[r/2*s.OW : (r/2+1)*s.OW]
				splitRows(even[:], odd[:], s.OW, from[r*s.W:], s.W, 1, s.OW)
				Add(row, even[:s.OW], row)
				Add(row, odd[:s.OW], row)
			}
		} else {
			s.taps(func(_, oy, iy, lo, hi, ix int) {
				row, at := to[oy*s.OW+lo:oy*s.OW+hi], iy*s.W+ix
				for i := range row {
					row[i] += from[at]
					at += s.StrideW
				}
			})
		}
		Mul(to, p.factors, to)
	}
}

func (p *Pooling) avgBackward(task int) {
	s := &p.shape
	in, out := s.H*s.W, s.OH*s.OW
	var row [halving]float32
	for k, hi := p.planes(task); k < hi; k++ {
		from, to := p.y[k*out:(k+1)*out], p.x[k*in:(k+1)*in]
		clear(to)
		if s.halves() {
			for r := range s.OH {
				Mul(from[r*s.OW:(r+1)*s.OW], p.factors[r*s.OW:], row[:s.OW])
				joinRows(to[2*r*s.W:], s.W, row[:], row[:], 0, 2, s.OW)
			}
			continue
		}
		s.taps(func(_, oy, iy, lo, hi, ix int) {
			row, f, at := from[oy*s.OW+lo:oy*s.OW+hi], p.factors[oy*s.OW+lo:], iy*s.W+ix
			for i, g := range row {
				to[at] += float32(g * f[i])
				at += s.StrideW
			}
		})
	}
}

// GlobalAvgPoolForward computes y[p] = Σ x[p*hw+i] / hw for each of the planes.
func GlobalAvgPoolForward(x []float32, planes, hw int, y []float32) {
	checkPlanes("GlobalAvgPoolForward", planes, 1, hw, x)
	checkChannels("GlobalAvgPoolForward", planes, y)
	for p := range planes {
		y[p] = float32(Sum(x[p*hw:(p+1)*hw]) / float64(hw))
	}
}

// GlobalAvgPoolBackward computes dx[p*hw+i] = dy[p] / hw.
func GlobalAvgPoolBackward(dy []float32, planes, hw int, dx []float32) {
	checkPlanes("GlobalAvgPoolBackward", planes, 1, hw, dx)
	checkChannels("GlobalAvgPoolBackward", planes, dy)
	for p := range planes {
		fill(dx[p*hw:(p+1)*hw], dy[p]/float32(hw))
	}
}

// fill sets all elements to v.
func fill(x []float32, v float32) {
	if len(x) == 0 {
		return
	}
	x[0] = v
	for n := 1; n < len(x); n *= 2 {
		copy(x[n:], x[:n])
	}
}
