package train

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/quantize"
)

// rows works on the weights of one layer, row by row. A row is a contiguous run of weights that share a step size. It
// allocates nothing once it has seen the largest layer.
type rows struct {
	param   *engine.Param
	steps   []float32 // per channel; nil if the layer lacks the width
	lo, hi  float32   // lowest and highest code of the width
	inner   int       // elements of a row
	group   int       // rows of a task
	weight  float32   // of what is added to gradients
	part    float32   // code*part must be whole for a weight to be pulled
	sums    []float64 // per row: squared distances
	pull    func(task int)
	decay   func(task int)
	channel int // number of channels
}

// init binds the tasks once, since a method value allocates.
func (r *rows) init() { r.pull, r.decay = r.pullTask, r.decayTask }

// of switches to the weights of layer i and their step sizes at a width.
func (r *rows) of(t *Trainer, i, bits int) {
	l := &t.net.Plan.Layers[i]
	r.param, r.steps, r.inner, r.channel = t.net.Weight(i), nil, max(l.Inner(), 1), l.OutChannels
	if s := t.net.WeightSteps(i).At(bits); s != nil {
		r.steps = s.Data
	}
	lo, hi := quantize.Levels(bits, true)
	r.lo, r.hi = float32(lo), float32(hi)
	r.group = max(1, engine.Block/r.inner)
}

// count is the number of rows.
func (r *rows) count() int { return len(r.param.Data) / r.inner }

// tasks is the number of groups of rows.
func (r *rows) tasks() int { return (r.count() + r.group - 1) / r.group }

// pullTask adds the gradient of dampening for a group of rows: see kernel.Pull.
func (r *rows) pullTask(task int) {
	for k := task * r.group; k < min((task+1)*r.group, r.count()); k++ {
		lo, hi := k*r.inner, (k+1)*r.inner
		r.sums[k] = kernel.Pull(r.param.Data[lo:hi], r.steps[k%r.channel], r.lo, r.hi, r.part, r.weight, r.param.Grad[lo:hi])
	}
}

// decayTask adds weight decay for a group of rows: to all weights, or to those outside the range of the codes.
func (r *rows) decayTask(task int) {
	if r.steps == nil {
		lo, hi := task*r.group*r.inner, min((task+1)*r.group, r.count())*r.inner
		kernel.Axpy(r.weight, r.param.Data[lo:hi], r.param.Grad[lo:hi])
		return
	}
	for k := task * r.group; k < min((task+1)*r.group, r.count()); k++ {
		lo, hi, s := k*r.inner, (k+1)*r.inner, r.steps[k%r.channel]
		kernel.AxpyOutside(r.weight, r.param.Data[lo:hi], r.lo*s, r.hi*s, r.param.Grad[lo:hi])
	}
}
