package rounding

import "math"

// Steps that are tried for codes which make up for each other are one to begin at, mostly that of the network, times
// powers of stepRatio: the step whose nearest codes are best need not be theirs. Powers are tried in strides that
// become shorter, so that a channel takes eight trials or so; all 25 powers up to farthest, 0.56 to 1.8 times, would
// give 1 to 3 % less loss.
const (
	// Step sizes to try are a first one, as a rule the network's, times powers of stepRatio. The step whose nearest
	// codes are best need not be the best for compensated codes. The stride between powers starts at firstStride and is
	// halved, so that a channel takes about eight trials. All 25 powers up to farthest, factors 0.56 to 1.8, would
	// lower the loss by a further 1 to 3 %.
	stepRatio   = 1.05
	firstStride = 4
	farthest    = 12
)

// search looks for the step size of a grid that loses least for one output channel. It ends where no neighbour is
// better.
type search struct {
	weights    []float32 // of the channel
	grid       *grid
	own        float32 // step size to begin at
	at, stride int     // best power so far, and the distance of its neighbours
	tried      map[int]*trial
}

// newSearch begins at the step size own, or at a larger one if bounds of pairs would otherwise bind.
func newSearch(weights []float32, g *grid, own float32) *search {
	return &search{weights: weights, grid: g, own: g.partners.fitting(weights, own), stride: firstStride, tried: map[int]*trial{}}
}

// next returns the trials to make before the search can go on. None means that best is final.
func (s *search) next() []*trial {
	for {
		var list []*trial
		for _, p := range [...]int{s.at, s.at - s.stride, s.at + s.stride} {
			if s.tried[p] == nil && p >= -farthest && p <= farthest {
				s.tried[p] = newTrial(s.weights, s.grid, s.own*float32(math.Pow(stepRatio, float64(p))))
				list = append(list, s.tried[p])
			}
		}
		if len(list) > 0 || s.stride == 0 {
			return list
		}
		if !s.move() {
			s.stride /= 2
		}
	}
}

// move goes to the better neighbour and reports whether there is one.
func (s *search) move() bool {
	from := s.at
	for _, p := range [...]int{from - s.stride, from + s.stride} {
		if t := s.tried[p]; t != nil && t.loss < s.best().loss {
			s.at = p
		}
	}
	return s.at != from
}

// best is the trial with the least loss so far.
func (s *search) best() *trial { return s.tried[s.at] }
