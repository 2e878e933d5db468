package train

import (
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// dampingFrom is the share of the schedule from which weights are pulled toward their levels: 40 of the paper's 150
// epochs.
const dampingFrom = 0.27

// dampingWeight rises along a cosine from 0 to Options.Damping.
func (t *Trainer) dampingWeight() float32 {
	if t.opts.Damping == 0 || t.opts.Steps < 1 {
		return 0
	}
	at := (float64(t.step)/float64(t.opts.Steps) - dampingFrom) / (1 - dampingFrom)
	if at <= 0 {
		return 0
	}
	return t.opts.Damping * float32((1-math.Cos(math.Pi*math.Min(at, 1)))/2)
}

// damp adds weight/2 times the squared distance between weights and their levels on a path to the loss, which it
// returns, and its gradient to the weights of all layers that have a choice of widths. Above a layer's lowest width only
// weights whose level the lowest width has, too, are pulled: the others must stay free to move between widths.
func (t *Trainer) damp(q quantize.Policy, weight float32) float64 {
	if weight == 0 {
		return 0
	}
	var sum float64
	for i := range t.net.Plan.Layers {
		if len(t.net.Plan.Layers[i].Candidates) > 1 {
			sum += t.dampLayer(i, q.W[i], weight)
		}
	}
	return float64(weight) / 2 * sum
}

func (t *Trainer) dampLayer(i, bits int, weight float32) float64 {
	l, p, steps := &t.net.Plan.Layers[i], t.net.Weight(i), t.net.WeightSteps(i).At(bits).Data
	lo, hi := quantize.Levels(bits, true)
	mask := int32(1)<<(bits-t.widths[i][0]) - 1
	inner := l.Shape[l.Axis+1:].Numel()
	rows := len(p.Data) / max(inner, 1)
	sums := make([]float64, rows)
	t.pool.Run(rows, func(r int) {
		s := steps[r%l.OutChannels]
		for j := r * inner; j < (r+1)*inner; j++ {
			v := p.Data[j] / s
			if v < float32(lo) || v > float32(hi) {
				continue // a clipped weight is at its level
			}
			level := float32(math.RoundToEven(float64(v)))
			if int32(level)&mask != 0 {
				continue
			}
			d := (v - level) * s
			sums[r] += float64(d) * float64(d)
			p.Grad[j] += weight * d
		}
	})
	var sum float64
	for _, v := range sums {
		sum += v
	}
	return sum
}
