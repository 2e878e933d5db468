package train

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/quantize"
)

// head is the layer that computes an output of kind values, such as a regression.
//
// The scale of such an output is arbitrary: in metres, weights are a thousandth of those in millimetres and their
// gradients a thousand times as large. One learning rate would make the first diverge or never move the second. So the
// head learns as if its output were divided by the spread.
type head struct {
	output int
	layer  int
	params []*engine.Param // trained by SGD
	steps  []*engine.Param // trained by Adam, whose steps do not depend on the scale of gradients
	scale  []float32       // spread per channel, of the present batch
}

// findHeads lists the layers whose results are outputs of kind values.
func (t *Trainer) findHeads() {
	for k, v := range t.net.Graph.Outputs {
		if t.kinds[k] == quantize.Scores {
			continue
		}
		for i := range t.net.Plan.Layers {
			l := &t.net.Plan.Layers[i]
			if l.Output != v.Name {
				continue
			}
			h := head{output: k, layer: i, steps: t.net.WeightSteps(i).Params(), scale: make([]float32, l.OutChannels)}
			if norm := t.net.Norm(i); norm != nil { // its weights have no magnitude
				h.params = norm.Params()
			} else {
				h.params = append(h.params, t.net.Weight(i))
				if b := t.net.Bias(i); b != nil {
					h.params = append(h.params, b)
				}
			}
			t.heads = append(t.heads, h)
		}
	}
}

// measureHeads sets the scale of each head to the standard deviation of the float model's output, per channel.
func (t *Trainer) measureHeads(b Batch) error {
	for i := range t.heads {
		h := &t.heads[i]
		if h.output >= len(b.Teacher) {
			continue // the loss says what is missing
		}
		y := b.Teacher[h.output]
		channels := 1
		if s := t.net.Graph.Outputs[h.output].Shape; len(s) > 1 {
			channels = s[1]
		}
		spread, err := loss.Spread(y, b.N, channels)
		if err != nil {
			return t.at(h.output, err)
		}
		mean := 0.0
		for _, v := range spread {
			mean += v / float64(len(spread))
		}
		for c := range h.scale {
			v := mean // rows of another layout
			if len(spread) == len(h.scale) {
				v = spread[c]
			}
			h.scale[c] = float32(math.Sqrt(v))
		}
	}
	return nil
}

// clipGradients limits each gradient element to [-Clip, Clip]. Gradients of heads are multiplied by the spread before
// that, which makes them gradients of parameters divided by the spread. They are multiplied again after it, so that the
// update applies to the parameters themselves.
func (t *Trainer) clipGradients() {
	for i := range t.heads {
		t.scale(&t.heads[i], t.heads[i].params)
		t.scale(&t.heads[i], t.heads[i].steps)
	}
	if t.opts.Clip > 0 {
		t.clip.Step()
	}
	for i := range t.heads {
		t.scale(&t.heads[i], t.heads[i].params)
	}
}

// scale multiplies the gradients of parameters of a head by its scale. They have one element per channel, or are its
// weights.
func (t *Trainer) scale(h *head, params []*engine.Param) {
	l := &t.net.Plan.Layers[h.layer]
	for _, p := range params {
		each := 1
		if len(p.Grad) > len(h.scale) {
			each = max(l.Inner(), 1)
		}
		for j := range p.Grad {
			p.Grad[j] *= h.scale[j/each%len(h.scale)]
		}
	}
}
