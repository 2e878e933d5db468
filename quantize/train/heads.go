package train

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/quantize"
)

// head is the layer that computes an output of values. What its parameters are worth goes with the magnitude of the output:
// a regression in metres has weights a thousandth of those in millimetres and gradients a thousand times theirs, and one
// learning rate would either blow up the first or never move the second. They learn as if the output were divided by its
// spread.
type head struct {
	output int
	layer  int
	params []*engine.Param // of SGD
	steps  []*engine.Param // of Adam, which makes steps of gradients of any magnitude
	scale  []float32       // per channel, for the present batch
}

// findHeads lists the layers whose results are outputs of values.
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

// measureHeads takes the spread of the outputs from those of the float model.
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

// clipGradients limits gradients. Those of heads are multiplied by the spread of their outputs before, which makes them
// gradients of parameters over the spread, and after, which makes the step one of the parameters themselves.
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

// scale multiplies the gradients of parameters of a head, which have an element per channel or are its weights.
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
