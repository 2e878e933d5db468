package rounding

// group holds the factors that belong to one group of output channels.
type group struct {
	blocks  []block     // of the weights of a channel
	factors []*factored // one per block
}

// choose returns the best trial of each search, refined.
func (g *group) choose(searches []*search) []*trial {
	best := g.search(searches)
	g.refine(best)
	return best
}

// search runs the searches, of one channel or of several, to their end. They proceed together, so that the factors are
// read once for all of them. Factors can be larger than the processor's caches.
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
