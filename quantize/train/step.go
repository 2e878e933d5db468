package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Batch is what one step trains on.
type Batch struct {
	X      []float32 // [N, ...] as the network's input
	Labels []int32   // N classes; nil without labels
	// Teacher holds the outputs of the float model for X, each [N, ...], in the order of the network. It is used
	// without labels, and for guidance.
	Teacher [][]float32
	N       int
}

// Step does one update on a batch. It runs the policies paths, of which the first is the teacher of the others, and
// sums their gradients. Then it updates parameters and averages. paths may come from Paths or from the caller.
//
// After an error, such as that of the context, the trainer is as it was before the step.
func (t *Trainer) Step(ctx context.Context, b Batch, paths []quantize.Policy) ([]Losses, error) {
	t.before.Keep(t.net, paths)
	list, err := t.accumulate(ctx, b, paths)
	if err != nil {
		t.before.Restore()
		if d := (*DivergedError)(nil); errors.As(err, &d) {
			return nil, d // says the step itself
		}
		return nil, fmt.Errorf("training step %d: %w", t.step, err)
	}
	if t.probe.gradients != nil {
		t.probe.gradients()
	}
	t.watch.start()
	rate, _ := t.opts.rates(t.step)
	t.update()
	t.step++
	t.history.record(t.step, rate, list)
	t.schedule() // for the paths of the next step
	t.watch.lap("Update")
	return list, nil
}

// accumulate runs all policies forward and backward and sums their gradients.
func (t *Trainer) accumulate(ctx context.Context, b Batch, paths []quantize.Policy) ([]Losses, error) {
	if len(paths) == 0 {
		return nil, fmt.Errorf("no paths")
	}
	t.watch.start()
	if err := t.feed(b); err != nil {
		return nil, err
	}
	if err := t.measureHeads(b); err != nil {
		return nil, err
	}
	t.exec.ZeroGrad()
	t.watch.lap("Feed")
	compared := t.compared(paths[1:])
	damping := t.dampeningWeight()
	var teacher [][]float32
	list := make([]Losses, len(paths))
	for k, q := range paths {
		if k == 0 {
			t.net.Tap(fakequant.Record, compared, 0)
		} else {
			t.net.Tap(fakequant.Compare, t.lowest(q), t.opts.Distortion)
		}
		var err error
		if list[k], err = t.path(ctx, b, q, teacher); err != nil {
			return nil, fmt.Errorf("path %d: %w", k, err)
		}
		if k == 0 {
			teacher = t.keepTeacher()
		}
		if k > 0 || len(paths) == 1 {
			t.watch.start()
			list[k].Dampening = t.dampen(q, damping)
			list[k].Total += list[k].Dampening
			t.watch.lap("Damping")
		}
		if t.probe.path != nil {
			t.probe.path(k, t.exec.Output(0).Data)
		}
	}
	return list, nil
}

// keepTeacher copies the outputs of the policy that just ran.
func (t *Trainer) keepTeacher() [][]float32 {
	if t.teacher == nil {
		t.teacher = make([][]float32, len(t.kinds))
	}
	for k := range t.teacher {
		t.teacher[k] = append(t.teacher[k][:0], t.exec.Output(k).Data...)
	}
	return t.teacher
}

// feed copies a batch to the network's input.
func (t *Trainer) feed(b Batch) error {
	if err := t.exec.SetBatch(b.N); err != nil {
		return err
	}
	in := t.exec.Input(0)
	if len(b.X) != len(in.Data) {
		return fmt.Errorf("%d input elements for a batch of %s", len(b.X), in.Shape)
	}
	if !finite(b.X) { // the quantizer of the input would hide it
		return &DivergedError{Step: t.step, At: "the input"}
	}
	copy(in.Data, b.X)
	return nil
}

// path runs one policy forward and backward.
func (t *Trainer) path(ctx context.Context, b Batch, q quantize.Policy, teacher [][]float32) (Losses, error) {
	if err := t.net.Select(q); err != nil {
		return Losses{}, err
	}
	if err := t.exec.Forward(ctx); err != nil {
		return Losses{}, err
	}
	t.watch.start()
	l, err := t.losses(b, teacher)
	t.watch.lap("Loss")
	if err != nil {
		return l, err
	}
	if !l.finite() {
		return l, t.diverged(ctx, b, q)
	}
	return l, t.exec.Backward(ctx)
}

// update applies the accumulated gradients.
func (t *Trainer) update() {
	t.clipGradients()
	t.decay()
	sgd, adam := t.opts.rates(t.step)
	t.sgd.Step(sgd)
	t.adam.Step(adam)
	t.clamp()
	t.average()
}

// decay adds weight decay to the gradients of the weights in use: to all weights of a layer, or to those outside the
// range of its 2-bit codes. Layers without 2-bit steps decay as a whole.
func (t *Trainer) decay() {
	if t.opts.Decay == 0 {
		return
	}
	for i := range t.net.Plan.Layers {
		if p := t.net.Weight(i); p.Used {
			t.rows.of(t, i, exemptBits)
			if t.opts.DecayInside {
				t.rows.steps = nil
			}
			t.rows.weight = t.opts.Decay
			t.pool.Run(t.rows.tasks(), t.rows.decay)
		}
	}
}

// exemptBits is the width within whose range weights do not decay.
const exemptBits = 2

// clamp raises parameters that must stay positive to their floors.
func (t *Trainer) clamp() {
	for _, p := range t.params {
		low := t.floors[p]
		if !p.Used || low == nil {
			continue
		}
		for j, v := range p.Data {
			if !(v >= low[j]) {
				p.Data[j] = low[j]
			}
		}
	}
}

// average updates the moving averages. The average of a step size that was initialised in this step starts at its
// value.
func (t *Trainer) average() {
	if t.ema == nil {
		return
	}
	state := t.ema.State()
	for i, p := range t.params {
		if p.Kind == engine.StepSize && len(p.Data) == 1 && state[i].Data[0] == 0 {
			copy(state[i].Data, p.Data)
		}
	}
	if t.opts.AverageWarmUp {
		n := float32(t.step)
		t.ema.SetDecay(min(t.opts.Average, (1+n)/(10+n)))
	}
	t.ema.Update()
}

// clone copies nested slices.
func clone(lists [][]int) [][]int {
	out := make([][]int, len(lists))
	for i := range lists {
		out[i] = slices.Clone(lists[i])
	}
	return out
}
