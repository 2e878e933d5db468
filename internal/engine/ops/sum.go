package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Sum is y = x0 + x1 + ... with broadcasting, Mean the same over the number of inputs; dxi = dy*Scale, summed where xi
// was broadcast.
type Sum struct {
	kind string
	mean bool
}

// Type is "Sum" or "Mean".
func (o *Sum) Type() string { return o.kind }

// Infer broadcasts all inputs.
func (o *Sum) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, max(1, len(in)), len(in)); err != nil {
		return nil, err
	}
	out := in[0].Clone()
	for _, s := range in[1:] {
		wider, err := tensor.Broadcast(out, s)
		if err != nil {
			return nil, err
		}
		out = wider
	}
	_, err := newWalk(out, nil)
	return []tensor.Shape{out}, err
}

func (o *Sum) scale(inputs int) float32 {
	if o.mean {
		return 1 / float32(inputs)
	}
	return 1
}

// each calls f for every element of y with the place in y and in an input of shape x.
func (o *Sum) each(x, y tensor.Shape, f func(x, y int)) {
	w, _ := newWalk(y, nil, broadcastStrides(x, y), y.Strides()) // Infer has checked that it can be planned
	for r := range w.rows {
		at := w.offset(r)
		for k := range w.inner {
			f(at[0]+k*w.step[0], at[1]+k*w.step[1])
		}
	}
}

// Forward computes y.
func (o *Sum) Forward(t *engine.Task) {
	y, scale := t.Out[0].Data, o.scale(len(t.In))
	clear(y)
	for _, x := range t.In {
		o.each(x.Shape, t.Out[0].Shape, func(from, to int) { y[to] += x.Data[from] })
	}
	if o.mean {
		for i := range y {
			y[i] *= scale
		}
	}
}

// Retain keeps nothing.
func (*Sum) Retain() engine.Retain { return engine.Retain{} }

// Backward computes the gradients that are wanted.
func (o *Sum) Backward(t *engine.Task) {
	dy, scale := t.GradOut[0].Data, o.scale(len(t.GradIn))
	for _, dx := range t.GradIn {
		if dx.Data == nil {
			continue
		}
		clear(dx.Data)
		o.each(dx.Shape, t.GradOut[0].Shape, func(to, from int) { dx.Data[to] += dy[from] * scale })
	}
}

func buildSum(Attributes) (engine.Op, error) { return &Sum{kind: "Sum"}, nil }

func buildMean(Attributes) (engine.Op, error) { return &Sum{kind: "Mean", mean: true}, nil }
