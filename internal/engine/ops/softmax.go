package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Softmax is y = exp(x) / sum(exp(x)) along Axis; dx = y*(dy - sum(y*dy)).
type Softmax struct {
	unary
	Axis int64
}

// Type is "Softmax".
func (*Softmax) Type() string { return "Softmax" }

// Infer checks the axis.
func (o *Softmax) Infer(n *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	out, err := o.unary.Infer(n, in)
	if err == nil {
		_, err = tensor.Axis(o.Axis, len(in[0]))
	}
	return out, err
}

// layout gives outer x n x inner around the axis.
func (o *Softmax) layout(s tensor.Shape) (outer, n, inner int) {
	a, _ := tensor.Axis(o.Axis, len(s))
	return s[:a].Numel(), s[a], s[a+1:].Numel()
}

// ScratchFloats is two rows, gathered where the axis is not the innermost.
func (o *Softmax) ScratchFloats(in, _ []tensor.Shape, _ int) int {
	_, n, _ := o.layout(in[0])
	return 2 * n
}

// Forward computes y.
func (o *Softmax) Forward(t *engine.Task) { o.forward(t, kernel.Softmax) }

// forward applies f to every row along the axis.
func (o *Softmax) forward(t *engine.Task, f func(x []float32, rows, n int, y []float32)) {
	outer, n, inner := o.layout(t.In[0].Shape)
	x, y := t.In[0].Data, t.Out[0].Data
	if inner == 1 {
		f(x, outer, n, y)
		return
	}
	row := t.Scratch[:n]
	for i := range outer * inner {
		at := i/inner*n*inner + i%inner
		gather(x, at, inner, row)
		f(row, 1, n, row)
		scatter(row, y, at, inner)
	}
}

// Retain keeps y.
func (*Softmax) Retain() engine.Retain { return engine.Retain{Out: []int{0}} }

// Backward computes dx.
func (o *Softmax) Backward(t *engine.Task) { o.backward(t, kernel.SoftmaxGrad) }

// backward applies f to every row of outputs and their gradients.
func (o *Softmax) backward(t *engine.Task, f func(y, dy []float32, rows, n int, dx []float32)) {
	if t.GradIn[0].Data == nil {
		return
	}
	outer, n, inner := o.layout(t.In[0].Shape)
	y, dy, dx := t.Out[0].Data, t.GradOut[0].Data, t.GradIn[0].Data
	if inner == 1 {
		f(y, dy, outer, n, dx)
		return
	}
	row, grad := t.Scratch[:n], t.Scratch[n:2*n]
	for i := range outer * inner {
		at := i/inner*n*inner + i%inner
		gather(y, at, inner, row)
		gather(dy, at, inner, grad)
		f(row, grad, 1, n, grad)
		scatter(grad, dx, at, inner)
	}
}

func gather(x []float32, at, step int, row []float32) {
	for i := range row {
		row[i] = x[at+i*step]
	}
}

func scatter(row, y []float32, at, step int) {
	for i, v := range row {
		y[at+i*step] = v
	}
}

func buildSoftmax(a Attributes) (engine.Op, error) { return &Softmax{Axis: a.Int("axis", -1)}, nil }
