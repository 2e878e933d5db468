package train

import (
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// dampeningFrom is the share of the schedule after which dampening begins: epoch 40 of the 150 of RFQuant.
const dampeningFrom = 0.27

// dampeningWeight is the present weight of dampening. It rises along a cosine from 0 to Options.Dampening.
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

// dampen adds oscillation dampening (Nagel et al. 2022, arXiv 2203.11086) for one policy. It returns the loss and adds
// its gradient to the weights of all layers that are not fixed:
//
//	loss = weight/2 * sum over layers, output channels k of mean over the channel's weights of (w - Q(w))^2
//
// The mean keeps the term independent of the size of a layer. A sum over all weights would pull every weight onto a
// 2-bit level by the end of the schedule, whatever the task. Above a layer's lowest width, only weights whose level
// also exists at the lowest width are pulled, as in RFQuant: the others must stay free to move between widths.
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

// dampenLayer adds the gradient for layer i at a width, and returns its term of the loss without the factor weight/2.
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
