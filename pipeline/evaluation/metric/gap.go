package metric

import (
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/quantize"
)

// Gap adds up how far the rows of one network are from another's, batch by batch.
type Gap struct {
	list   Outputs
	n      int
	scores float64 // divergences of class scores
	flips  int     // predictions that differ
	values [][]channelSums
}

// channelSums are sums over the elements of a channel of values.
type channelSums struct{ n, sum, squares, errors float64 }

// farthest is how far from anything a network is that computes no numbers: a number, as JSON has no others.
const farthest = 1e30

func bounded(distance float64) float64 {
	if !(distance <= farthest) { // NaN, too
		return farthest
	}
	return distance
}

// NewGap is one of no rows yet, which will hold these outputs.
func NewGap(list Outputs) Gap {
	g := Gap{list: list, values: make([][]channelSums, len(list))}
	for k, o := range list {
		if o.Kind != quantize.Scores {
			g.values[k] = make([]channelSums, o.channels)
		}
	}
	return g
}

// Add takes n rows of the network that distances count from, and of the other.
func (g *Gap) Add(want, got []float32, n int) {
	row, predicts := g.list.Row(), g.list.Predicting()
	g.n += n
	for i := range n {
		for k, o := range g.list {
			a, b := want[i*row+o.From:i*row+o.To], got[i*row+o.From:i*row+o.To]
			if o.Kind == quantize.Scores {
				g.scores = bounded(g.scores + divergence(a, b))
				if k == predicts && Argmax(a) != Argmax(b) {
					g.flips++
				}
				continue
			}
			inner := max(len(a)/o.channels, 1)
			for e, v := range a {
				s, d := &g.values[k][e/inner], float64(v)-float64(b[e])
				s.n++
				s.sum += float64(v)
				s.squares += float64(v) * float64(v)
				s.errors += d * d
			}
		}
	}
}

// relative is the mean squared difference of each output of values over the spread of its channels, summed, and the number
// of such outputs.
func (g *Gap) relative() (sum float64, outputs int) {
	for _, channels := range g.values {
		if channels == nil || g.n == 0 {
			continue
		}
		variance, squares := make([]float64, len(channels)), make([]float64, len(channels))
		for c, s := range channels {
			mean := s.sum / s.n
			squares[c] = s.squares / s.n
			variance[c] = max(squares[c]-mean*mean, 0)
		}
		loss.Floor(variance, squares)
		for c, s := range channels {
			sum += s.errors / s.n / variance[c] / float64(len(channels))
		}
		sum = bounded(sum)
		outputs++
	}
	return sum, outputs
}

// Distance is the mean over the pictures, summed over the outputs.
func (g *Gap) Distance() float64 {
	sum, _ := g.relative()
	return sum + g.scores/float64(max(g.n, 1))
}

// Agreement is the share of predictions that agree. Networks without class scores have no predictions, and it is how much of the
// variance of the one's values the other explains.
func (g *Gap) Agreement() float64 {
	if g.list.Predicting() >= 0 {
		return 1 - float64(g.flips)/float64(max(g.n, 1))
	}
	sum, outputs := g.relative()
	return max(1-sum/float64(max(outputs, 1)), 0)
}
