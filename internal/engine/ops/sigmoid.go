package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// Sigmoid is y = 1/(1+exp(-x)); dx = dy*y*(1-y).
type Sigmoid struct{ unary }

// Type is "Sigmoid".
func (*Sigmoid) Type() string { return "Sigmoid" }

// Forward computes y.
func (o *Sigmoid) Forward(t *engine.Task) {
	o.forward(t, func(t *engine.Task, i int) {
		x, y := xy(t, i)
		for j, v := range x {
			y[j] = float32(1 / (1 + math.Exp(-float64(v))))
		}
	})
}

// Retain keeps y.
func (*Sigmoid) Retain() engine.Retain { return engine.Retain{Out: []int{0}} }

// Backward computes dx.
func (o *Sigmoid) Backward(t *engine.Task) {
	o.backward(t, func(t *engine.Task, i int) {
		y := block(t.Out[0].Data, i)
		dy, dx := grads(t, i)
		for j, g := range dy {
			dx[j] = g * y[j] * (1 - y[j])
		}
	})
}

func buildSigmoid(Attributes) (engine.Op, error) { return &Sigmoid{}, nil }
