package optim

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/par"
)

// Clip limits every gradient element of the used parameters to [-limit, limit]. NaN stays NaN.
type Clip struct {
	params []*engine.Param
	limit  float32
	blocks *blocks
}

// NewClip makes a Clip that works on a pool, nil for the calling goroutine.
func NewClip(params []*engine.Param, limit float32, pool *par.Pool) *Clip {
	c := &Clip{params: params, limit: limit}
	c.blocks = newBlocks(pool, params, c.block)
	return c
}

// Step clips the present gradients.
func (c *Clip) Step() { c.blocks.each() }

// block clips one part.
func (c *Clip) block(k, lo, hi int) {
	if p := c.params[k]; p.Used {
		kernel.Clip(p.Grad[lo:hi], -c.limit, c.limit, p.Grad[lo:hi])
	}
}
