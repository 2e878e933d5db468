package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// unary is the part that element-wise operators of one input share.
type unary struct{}

// Infer gives the output the shape of the input.
func (unary) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// forward runs f over blocks.
func (unary) forward(t *engine.Task, f func(t *engine.Task, i int)) {
	t.Parallel(engine.Blocks(len(t.Out[0].Data)), f)
}

// backward runs f over blocks where the gradient is wanted.
func (unary) backward(t *engine.Task, f func(t *engine.Task, i int)) {
	if t.GradIn[0].Data != nil {
		t.Parallel(engine.Blocks(len(t.GradIn[0].Data)), f)
	}
}

// xy is block i of input and output.
func xy(t *engine.Task, i int) (x, y []float32) {
	lo, hi := engine.Span(i, len(t.Out[0].Data))
	return t.In[0].Data[lo:hi], t.Out[0].Data[lo:hi]
}

// grads is block i of the output's and the input's gradient.
func grads(t *engine.Task, i int) (dy, dx []float32) {
	lo, hi := engine.Span(i, len(t.GradIn[0].Data))
	return t.GradOut[0].Data[lo:hi], t.GradIn[0].Data[lo:hi]
}

// block is block i of x.
func block(x []float32, i int) []float32 {
	lo, hi := engine.Span(i, len(x))
	return x[lo:hi]
}
