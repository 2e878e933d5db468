package rounding

import "math"

// Steps that are tried for codes which make up for each other are those that the network has times powers of stepRatio, up to
// farthest: the step whose nearest codes are best has not to be theirs. Powers further away are tried in strides that become shorter.
const (
	stepRatio = 1.05
	firstStep = 4
	farthest  = 12
)

// channel are the weights of an output channel, in blocks, and what is known of what they multiply.
type channel struct {
	weights []float32
	blocks  []block
	factors []*factored // of the blocks
}

// round rounds all blocks.
func (c *channel) round(trials ...*trial) {
	for i, b := range c.blocks {
		c.factors[i].round(c.weights[b.from:b.to], b.from, trials)
	}
}

// trial is one at a step of a grid.
func (c *channel) trial(g *grid, step float32) *trial {
	return &trial{step: step, lo: g.lo, hi: g.hi, codes: make([]int8, len(c.weights))}
}

// best is the trial with the least loss near the step of a grid: where no neighbour in a stride is better. Its codes are refined.
func (c *channel) best(g *grid, step float32) *trial {
	tried, at := map[int]*trial{}, 0
	try := func(powers ...int) {
		var list []*trial
		for _, p := range powers {
			if tried[p] == nil && p >= -farthest && p <= farthest {
				tried[p] = c.trial(g, step*float32(math.Pow(stepRatio, float64(p))))
				list = append(list, tried[p])
			}
		}
		c.round(list...)
	}
	try(0)
	for stride := firstStep; stride > 0; stride /= 2 {
		for moved := true; moved; {
			moved = false
			try(at-stride, at+stride)
			for _, p := range []int{at - stride, at + stride} {
				if t := tried[p]; t != nil && t.loss < tried[at].loss {
					at, moved = p, true
				}
			}
		}
	}
	c.refine(tried[at])
	return tried[at]
}
