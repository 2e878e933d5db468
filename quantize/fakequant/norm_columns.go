package fakequant

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// Planes of at most shortPlane elements cost more in calls than in arithmetic. If a tensor has wideSamples samples or
// more, the numbers of each channel are repeated over its plane, so that a whole sample is one row. Sums are first
// taken for each element over blocks of columnSamples samples; then the elements of a plane are added up.
const (
	shortPlane    = 64
	wideSamples   = 8
	columnSamples = 32  // additions of a sum in float32
	columnFloats  = 512 // of a sample that a task takes: with its sums it fits L1
)

// columns is the state of SwitchNorm for short planes.
type columns struct {
	wide           int  // elements of a sample; 0: each plane is a row
	sum            bool // sums are taken here; in a backward run that happens in Conclude, from dx
	channels       int  // of a task
	factor, addend []float32
	mean           []float32
	p, q, r        []float32 // of dx = p*dy + q*x + r
	sums, dots     []float32 // per block of samples
	y              []float32 // likewise, for the tap
}

// use decides whether columns serve a tensor and its sums, and allocates what they need.
func (c *columns) use(g engine.Grid, sum bool) {
	c.wide, c.sum = 0, false
	if g.Plane > shortPlane || g.N < wideSamples {
		return
	}
	c.sum = sum
	c.wide, c.channels = g.C*g.Plane, max(1, columnFloats/g.Plane)
	for _, s := range []*[]float32{&c.factor, &c.addend, &c.mean, &c.p, &c.q, &c.r} {
		*s = floats(*s, c.wide)
	}
	blocks := (g.N + columnSamples - 1) / columnSamples
	c.sums, c.dots, c.y = floats(c.sums, blocks*c.wide), floats(c.dots, blocks*c.wide), floats(c.y, blocks*c.wide)
}

// floats returns s resized to n elements of unspecified value.
func floats(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// strips is the number of strips of channels.
func (c *columns) strips(g *engine.Grid) int { return (g.C + c.channels - 1) / c.channels }

// tasks is the number of tasks: one per strip and block of samples.
func (c *columns) tasks(g *engine.Grid) int {
	return c.strips(g) * ((g.N + columnSamples - 1) / columnSamples)
}

// strip returns the range [lo, hi) of channels of strip i.
func (c *columns) strip(g *engine.Grid, i int) (lo, hi int) {
	return i * c.channels, min((i+1)*c.channels, g.C)
}

// span returns the work of task i: samples [n0, n1), elements [lo, hi) of each, and the index at of its sums.
func (c *columns) span(g *engine.Grid, i int) (n0, n1, lo, hi, at int) {
	block := i / c.strips(g)
	first, last := c.strip(g, i%c.strips(g))
	lo, hi = first*g.Plane, last*g.Plane
	n0 = block * columnSamples
	return n0, min(n0+columnSamples, g.N), lo, hi, block*c.wide + lo
}

// spreadOver repeats each element of x n times in to.
func spreadOver(x []float32, n int, to []float32) {
	for k, v := range x {
		row := to[k*n : (k+1)*n]
		for i := range row {
			row[i] = v
		}
	}
}

// columnCenters is center for the channels of strip i: it takes the means of the first sample's planes.
func columnCenters(t *engine.Task, i int) {
	o := t.Node.Op.(*SwitchNorm)
	lo, hi := o.columns.strip(&o.grid, i)
	for ch := lo; ch < hi; ch++ {
		center(t, ch)
	}
	spreadOver(o.saved.mean[lo:hi], o.grid.Plane, o.columns.mean[lo*o.grid.Plane:])
}

// columnMoments adds up the samples of task i.
func columnMoments(t *engine.Task, i int) {
	o := t.Node.Op.(*SwitchNorm)
	c := &o.columns
	n0, n1, lo, hi, at := c.span(&o.grid, i)
	sums, dots := c.sums[at:at+hi-lo], c.dots[at:at+hi-lo]
	clear(sums)
	clear(dots)
	for n := n0; n < n1; n++ {
		kernel.ColumnMoments(t.In[0].Data[n*c.wide+lo:n*c.wide+hi], c.mean[lo:hi], sums, dots)
	}
}

// columnStatistics is channelMoments for strip i.
func columnStatistics(t *engine.Task, i int) {
	o := t.Node.Op.(*SwitchNorm)
	lo, hi := o.columns.strip(&o.grid, i)
	for ch := lo; ch < hi; ch++ {
		channelMoments(t, ch)
	}
}

// channel adds up the sums of channel ch.
func (c *columns) channel(g *engine.Grid, ch int) (sum, dot float64) {
	for at := ch * g.Plane; at < len(c.sums); at += c.wide {
		for i := at; i < at+g.Plane; i++ {
			sum += float64(c.sums[i])
			dot += float64(c.dots[i])
		}
	}
	return sum, dot
}

// columnSlopes adds the tap's gradient to dy, which dx holds, and adds up the samples of task i.
func columnSlopes(t *engine.Task, i int) {
	o := t.Node.Op.(*SwitchNorm)
	c := &o.columns
	n0, n1, lo, hi, at := c.span(&o.grid, i)
	sums, dots := c.sums[at:at+hi-lo], c.dots[at:at+hi-lo]
	clear(sums)
	clear(dots)
	for n := n0; n < n1; n++ {
		from := n*c.wide + lo
		x, dx := t.In[0].Data[from:n*c.wide+hi], t.GradIn[0].Data[from:n*c.wide+hi]
		if o.tap.compares {
			y := c.y[at : at+hi-lo]
			kernel.MulAdd(x, c.factor[lo:hi], c.addend[lo:hi], y)
			o.tap.pull(y, from, dx)
		}
		kernel.ColumnGradMoments(x, dx, c.mean[lo:hi], sums, dots)
	}
}

// columnRows is addRows for strip i.
func columnRows(t *engine.Task, i int) {
	o := t.Node.Op.(*SwitchNorm)
	c, plane := &o.columns, o.grid.Plane
	lo, hi := c.strip(&o.grid, i)
	for ch := lo; ch < hi; ch++ {
		addRows(t, ch)
		slopes := t.Scratch[2*o.grid.C+3*ch:]
		for k, to := range [][]float32{c.p, c.q, c.r} {
			spreadOver(slopes[k:k+1], plane, to[ch*plane:])
		}
	}
}

// columnSpread is spreadPiece for the samples of task i.
func columnSpread(t *engine.Task, i int) {
	o := t.Node.Op.(*SwitchNorm)
	c := &o.columns
	n0, n1, lo, hi, _ := c.span(&o.grid, i)
	for n := n0; n < n1; n++ {
		x, dx := t.In[0].Data[n*c.wide+lo:n*c.wide+hi], t.GradIn[0].Data[n*c.wide+lo:n*c.wide+hi]
		if t.Training {
			kernel.CombineColumns(c.p[lo:hi], dx, c.q[lo:hi], x, c.r[lo:hi], dx)
		} else {
			kernel.Mul(c.p[lo:hi], dx, dx)
		}
	}
}
