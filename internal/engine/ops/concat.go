package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Concat joins its inputs along Axis.
type Concat struct {
	Axis int64
}

// Type is "Concat".
func (*Concat) Type() string { return "Concat" }

// Infer adds sizes along the axis; the other dimensions must agree.
func (o *Concat) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, len(in), len(in)); err != nil || len(in) == 0 {
		return nil, fmt.Errorf("inputs are missing")
	}
	a, err := tensor.Axis(o.Axis, len(in[0]))
	if err != nil {
		return nil, err
	}
	out := in[0].Clone()
	for _, s := range in[1:] {
		if len(s) != len(out) {
			return nil, fmt.Errorf("shapes %s and %s differ in rank", in[0], s)
		}
		for d := range s {
			if d != a && s[d] != out[d] {
				return nil, fmt.Errorf("shapes %s and %s differ in dimension %d", in[0], s, d)
			}
		}
		out[a] += s[a]
	}
	return []tensor.Shape{out}, nil
}

// spans calls f for each run of elements of each input i: x[from:from+n] stands at y[to:to+n].
func (o *Concat) spans(x []engine.Buf, y tensor.Shape, f func(i, from, to, n int)) {
	if y.Numel() == 0 {
		return // its rows may be many all the same
	}
	a, _ := tensor.Axis(o.Axis, len(y))
	inner := y[a+1:].Numel()
	before, row := 0, y[a]*inner
	for i, b := range x {
		n := b.Shape[a] * inner
		for r := range y[:a].Numel() {
			f(i, r*n, r*row+before, n)
		}
		before += n
	}
}

// Forward computes y.
func (o *Concat) Forward(t *engine.Task) {
	y := t.Out[0].Data
	o.spans(t.In, t.Out[0].Shape, func(i, from, to, n int) { copy(y[to:to+n], t.In[i].Data[from:from+n]) })
}

// Retain keeps nothing.
func (*Concat) Retain() engine.Retain { return engine.Retain{} }

// Backward computes the inputs' gradients, pieces of dy.
func (o *Concat) Backward(t *engine.Task) {
	dy := t.GradOut[0].Data
	o.spans(t.GradIn, t.GradOut[0].Shape, func(i, from, to, n int) {
		if dx := t.GradIn[i].Data; dx != nil {
			copy(dx[from:from+n], dy[to:to+n])
		}
	})
}

func buildConcat(a Attributes) (engine.Op, error) {
	if !a.Has("axis") {
		return nil, fmt.Errorf("axis is missing")
	}
	return &Concat{Axis: a.Int("axis", 0)}, nil
}
