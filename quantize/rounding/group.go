package rounding

// group is what is known of what the weights of a group of output channels multiply.
type group struct {
	blocks  []block     // of the weights of a channel
	factors []*factored // of the blocks
}

// choose is the best trial of each search, refined.
func (g *group) choose(searches []*search) []*trial {
	best := g.search(searches)
	g.refine(best)
	return best
}

// search makes the trials that searches ask for, be they of one channel or of several. They go on together, so that the factors, which can
// be larger than a processor's caches, are read once for all of them.
func (g *group) search(searches []*search) []*trial {
	for {
		var trials []*trial
		for _, s := range searches {
			trials = append(trials, s.next()...)
		}
		if len(trials) == 0 {
			break
		}
		g.round(trials)
	}
	best := make([]*trial, len(searches))
	for i, s := range searches {
		best[i] = s.best()
	}
	return best
}

// round rounds all blocks for every trial.
func (g *group) round(trials []*trial) {
	for i, b := range g.blocks {
		g.factors[i].round(b, trials)
	}
}

// refine refines all blocks of every trial.
func (g *group) refine(trials []*trial) {
	for i, b := range g.blocks {
		g.factors[i].refine(b, trials)
	}
}
