package rounding

import "math"

// Steps that are tried for codes which make up for each other are those that the network has times powers of stepRatio: the step whose
// nearest codes are best need not be theirs. Powers are tried in strides that become shorter, so that a channel takes eight trials or so;
// all 25 powers up to farthest, 0.56 to 1.8 times, would give 1 to 3 % less loss.
const (
	stepRatio   = 1.05
	firstStride = 4
	farthest    = 12
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

// search is the trial with the least loss near the step of a grid: where no neighbour in a stride is better.
func (c *channel) search(g *grid, step float32) *trial {
	tried, at := map[int]*trial{}, 0
	try := func(powers ...int) {
		var list []*trial
		for _, p := range powers {
			if tried[p] == nil && p >= -farthest && p <= farthest {
				tried[p] = newTrial(g, step*float32(math.Pow(stepRatio, float64(p))), len(c.weights))
				list = append(list, tried[p])
			}
		}
		c.round(list...)
	}
	try(0)
	for stride := firstStride; stride > 0; stride /= 2 {
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
	return tried[at]
}
