package train

import (
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// dampingFrom is the share of the schedule from which weights are pulled toward their levels: 40 of the paper's 150
// epochs.
const dampeningFrom = 0.27

// dampingWeight rises along a cosine from 0 to Options.Damping.
func (t *Trainer) dampeningWeight() float32 {
	if t.opts.Dampening == 0 || t.opts.Steps < 1 {
		return 0
	}
	at := (float64(t.step)/float64(t.opts.Steps) - dampeningFrom) / (1 - dampeningFrom)
	if at <= 0 {
		return 0
	}
	return t.opts.Dampening * float32((1-math.Cos(math.Pi*math.Min(at, 1)))/2)
}

// damp adds weight/2 times the squared distance between weights and their levels on a path to the loss, which it
// returns, and its gradient to the weights of all layers but the fixed ones. Per layer it is a mean over the weights of an output
// channel, summed over the channels: a sum over all weights would grow with the layer, and by the end of a schedule have
// pulled every weight onto a 2-bit level whatever the task says. Above a layer's lowest width only weights whose level the
// lowest width has, too, are pulled: the others must stay free to move between widths.
func (t *Trainer) dampen(q quantize.Policy, weight float32) float64 {
	if weight == 0 {
		return 0
	}
	var sum float64
	for i := range t.net.Plan.Layers {
		if !t.net.Plan.Layers[i].Fixed {
			sum += t.dampenLayer(i, q.W[i], weight)
		}
	}
	return float64(weight) / 2 * sum
}

func (t *Trainer) dampenLayer(i, bits int, weight float32) float64 {
	r := &t.rows
	r.of(t, i, bits)
	channel := float64(len(r.param.Data) / r.channel) // weights of an output channel
	r.weight, r.part = weight/float32(channel), 1/float32(int(1)<<max(bits-t.widths[i][0], 0))
	if cap(r.sums) < r.count() {
		r.sums = make([]float64, r.count())
	}
	r.sums = r.sums[:r.count()]
	t.pool.Run(r.tasks(), r.pull)
	var sum float64
	for _, v := range r.sums {
		sum += v
	}
	return sum / channel
}
