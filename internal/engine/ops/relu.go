package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// Relu is y = max(x, 0); dx = dy where y > 0.
type Relu struct {
	unary
	engine.Simple
}

// Type is "Relu".
func (*Relu) Type() string { return "Relu" }

// Forward computes y.
func (o *Relu) Forward(t *engine.Task) {
	o.forward(t, func(t *engine.Task, i int) {
		x, y := xy(t, i)
		kernel.Relu(x, y)
	})
}

// Retain keeps y.
func (*Relu) Retain() engine.Retain { return engine.Retain{Out: []int{0}} }

// Backward computes dx.
func (o *Relu) Backward(t *engine.Task) {
	o.backward(t, func(t *engine.Task, i int) {
		dy, dx := grads(t, i)
		kernel.ReluGrad(block(t.Out[0].Data, i), dy, dx)
	})
}

// Map computes a piece of y.
func (*Relu) Map(_ *engine.Task, p *engine.Piece) { kernel.Relu(p.X, p.Y) }

// Slope computes a piece of dx.
func (*Relu) Slope(_ *engine.Task, p *engine.Piece) { kernel.ReluGrad(p.X, p.DY, p.DX) }

func buildRelu(Attributes) (engine.Op, error) { return &Relu{}, nil }
