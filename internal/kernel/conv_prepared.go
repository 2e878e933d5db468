package kernel

import "github.com/mpqc/mpqc/internal/par"

// Conv is a convolution of one shape with the tables that [ConvForward] and its gradients would make at each call. It
// computes the same, with the instruction set that was active when it was made, and allocates nothing from the second
// call on. It belongs to one goroutine.
type Conv struct {
	shape         ConvShape
	isa           ISA
	forward, data *convPass
	weight        weightGradient
	sweep         *sweep // all three passes, where it serves the shape
}

// weightGradient is weightPass or planarWeight.
type weightGradient interface {
	run(pool *par.Pool, x, dy, dw, scratch []float32)
	scratch(threads int) int
}

// NewConv prepares a convolution. A wrong shape panics, as it does in ConvForward.
func NewConv(s ConvShape) *Conv {
	s.checkShape("NewConv")
	c := &Conv{shape: s, isa: Active()}
	if s.N == 0 {
		return c
	}
	if c.sweep = newSweep(s, c.isa); c.sweep != nil {
		return c
	}
	c.forward, c.data = newForward(s, c.isa), newBackwardData(s, c.isa)
	if s.planar() {
		c.weight = newPlanarWeight(s, c.isa)
	} else {
		c.weight = newBackwardWeight(s, c.isa)
	}
	return c
}

// Scratch is the number of floats of working memory that the passes want on a pool of that many threads.
func (c *Conv) Scratch(threads int) int {
	switch {
	case c.shape.N == 0:
		return 0
	case c.sweep != nil:
		return c.sweep.scratch()
	}
	return max(c.forward.scratch(threads), c.data.scratch(threads), c.weight.scratch(threads))
}

// Forward is [ConvForward].
func (c *Conv) Forward(pool *par.Pool, x, w, y, scratch []float32) {
	s := &c.shape
	s.checkData("Conv.Forward", x, w, y)
	switch {
	case s.N == 0:
	case c.sweep != nil:
		c.sweep.run(pool, x, w, y, false)
	case s.depthwise() && c.isa == Go:
		depthwiseForwardGo(pool, *s, x, w, y)
	default:
		c.forward.run(pool, x, w, y, scratch)
	}
}

// BackwardData is [ConvBackwardData].
func (c *Conv) BackwardData(pool *par.Pool, w, dy, dx, scratch []float32) {
	s := &c.shape
	s.checkData("Conv.BackwardData", dx, w, dy)
	switch {
	case s.N == 0:
	case c.sweep != nil:
		c.sweep.run(pool, dy, w, dx, true)
	case s.depthwise() && c.isa == Go:
		depthwiseBackwardDataGo(pool, *s, w, dy, dx)
	default:
		c.data.run(pool, dy, w, dx, scratch)
	}
}

// BackwardWeight is [ConvBackwardWeight].
func (c *Conv) BackwardWeight(pool *par.Pool, x, dy, dw, scratch []float32) {
	s := &c.shape
	s.checkData("Conv.BackwardWeight", x, dw, dy)
	switch {
	case s.N == 0:
		clear(dw[:s.K*s.C/s.Groups*s.R*s.S])
	case c.sweep != nil:
		c.sweep.gradient(pool, x, dy, dw, scratch)
	default:
		c.weight.run(pool, x, dy, dw, scratch)
	}
}
