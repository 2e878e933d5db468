package metric

import (
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/quantize"
)

// Gap accumulates, batch by batch, how far the outputs of a network are from those of a reference.
type Gap struct {
	list   Outputs
	n      int             // samples
	scores float64         // sum of KL divergences of class scores
	flips  int             // number of predictions that differ
	values [][]channelSums // [output][channel], nil for class scores
}

// channelSums are sums over the elements of one channel of values: count, reference, its square, squared difference.
type channelSums struct{ n, sum, squares, errors float64 }

// farthest is the distance of a network whose outputs are not finite. JSON has no infinity.
const farthest = 1e30

// bounded replaces distances that are NaN or too large by farthest.
func bounded(distance float64) float64 {
	if !(distance <= farthest) { // NaN, too
		return farthest
	}
	return distance
}

// NewGap returns an empty Gap for rows of these outputs.
func NewGap(list Outputs) Gap {
	g := Gap{list: list, values: make([][]channelSums, len(list))}
	for k, o := range list {
		if o.Kind != quantize.Scores {
			g.values[k] = make([]channelSums, o.channels)
		}
	}
	return g
}

// Add adds n rows [n, Row()] of the reference, want, and of the network, got.
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

// relative returns, summed over the outputs of kind values, the mean squared difference relative to the variance of
// each channel, averaged over channels. It also returns the number of such outputs.
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

// Distance is the mean distance per sample, summed over the outputs: the KL divergence of class scores, or the squared
// difference of values relative to their variance.
func (g *Gap) Distance() float64 {
	sum, _ := g.relative()
	return sum + g.scores/float64(max(g.n, 1))
}

// Agreement is the share of samples with equal predictions. For networks without class scores it is the share of the
// variance of the reference that the network explains, at least 0.
func (g *Gap) Agreement() float64 {
	if g.list.Predicting() >= 0 {
		return 1 - float64(g.flips)/float64(max(g.n, 1))
	}
	sum, outputs := g.relative()
	return max(1-sum/float64(max(outputs, 1)), 0)
}
