package rounding

// channel are the weights of an output channel, in blocks, and what is known of what they multiply.
type channel struct {
	weights []float32
	blocks  []block
	factors []*factored // of the blocks
}

// choose is the best trial of each search, refined.
func (c *channel) choose(searches []*search) []*trial {
	best := c.search(searches)
	c.refine(best)
	return best
}

// search makes the trials that searches ask for. They go on together, so that the factors, which can be larger than a processor's
// caches, are read once for all of them.
func (c *channel) search(searches []*search) []*trial {
	for {
		var trials []*trial
		for _, s := range searches {
			trials = append(trials, s.next(len(c.weights))...)
		}
		if len(trials) == 0 {
			break
		}
		c.round(trials)
	}
	best := make([]*trial, len(searches))
	for i, s := range searches {
		best[i] = s.best()
	}
	return best
}

// round rounds all blocks for every trial.
func (c *channel) round(trials []*trial) {
	for i, b := range c.blocks {
		c.factors[i].round(c.weights[b.from:b.to], b.from, trials)
	}
}

// refine refines all blocks of every trial.
func (c *channel) refine(trials []*trial) {
	for i, b := range c.blocks {
		c.factors[i].refine(c.weights[b.from:b.to], b.from, trials)
	}
}
