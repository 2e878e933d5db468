package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Gather takes the slices of x at constant Indices along Axis: x [A.. D B..] and indices [I..] give y [A.. I.. B..];
// the gradient of a slice that is taken several times is the sum.
type Gather struct {
	Axis    int64
	Indices []int64
	shape   tensor.Shape // of the indices
}

// Type is "Gather".
func (*Gather) Type() string { return "Gather" }

// Absorb takes the indices, input 1.
func (o *Gather) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	list, ok, err := constInts(in, 1, "indices of Gather")
	if err == nil && !ok {
		err = fmt.Errorf("indices of Gather are missing")
	}
	if err != nil {
		return nil, err
	}
	o.Indices, o.shape = list, in[1].Shape
	return in[:1], nil
}

// Infer checks the indices.
func (o *Gather) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	a, err := tensor.Axis(o.Axis, len(in[0]))
	if err != nil {
		return nil, err
	}
	for _, i := range o.Indices {
		if d := int64(in[0][a]); i < -d || i >= d {
			return nil, fmt.Errorf("index %d is outside of %d", i, d)
		}
	}
	out := append(in[0][:a:a].Clone(), o.shape...)
	return []tensor.Shape{append(out, in[0][a+1:]...)}, nil
}

// slices calls f for every slice of n elements that y has: y[to:to+n] is x[from:from+n].
func (o *Gather) slices(x tensor.Shape, f func(from, to, n int)) {
	a, _ := tensor.Axis(o.Axis, len(x)) // Infer has checked it
	n, d := x[a+1:].Numel(), x[a]
	if n == 0 || len(o.Indices) == 0 {
		return // there may be many slices of nothing
	}
	to := 0
	for outer := range x[:a].Numel() {
		for _, i := range o.Indices {
			if i < 0 {
				i += int64(d)
			}
			f((outer*d+int(i))*n, to, n)
			to += n
		}
	}
}

// Forward copies slices.
func (o *Gather) Forward(t *engine.Task) {
	x, y := t.In[0].Data, t.Out[0].Data
	o.slices(t.In[0].Shape, func(from, to, n int) { copy(y[to:to+n], x[from:from+n]) })
}

// Retain keeps nothing.
func (*Gather) Retain() engine.Retain { return engine.Retain{} }

// Backward adds slices.
func (o *Gather) Backward(t *engine.Task) {
	dx, dy := t.GradIn[0].Data, t.GradOut[0].Data
	clear(dx)
	if dx == nil {
		return
	}
	o.slices(t.GradIn[0].Shape, func(from, to, n int) {
		for k := range n {
			dx[from+k] += dy[to+k]
		}
	})
}

func buildGather(a Attributes) (engine.Op, error) { return &Gather{Axis: a.Int("axis", 0)}, nil }
