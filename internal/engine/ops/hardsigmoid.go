package ops

import "github.com/mpqc/mpqc/internal/engine"

// HardSigmoid is y = min(max(Alpha*x+Beta, 0), 1); dx = Alpha*dy where 0 < y < 1.
type HardSigmoid struct {
	unary
	Alpha, Beta float32
}

// Type is "HardSigmoid".
func (*HardSigmoid) Type() string { return "HardSigmoid" }

// Forward computes y.
func (o *HardSigmoid) Forward(t *engine.Task) {
	o.forward(t, func(t *engine.Task, i int) {
		h := t.Node.Op.(*HardSigmoid)
		x, y := xy(t, i)
		for j, v := range x {
			y[j] = min(max(float32(h.Alpha*v)+h.Beta, 0), 1)
		}
	})
}

// Retain keeps y.
func (*HardSigmoid) Retain() engine.Retain { return engine.Retain{Out: []int{0}} }

// Backward computes dx.
func (o *HardSigmoid) Backward(t *engine.Task) {
	o.backward(t, func(t *engine.Task, i int) {
		h := t.Node.Op.(*HardSigmoid)
		y := block(t.Out[0].Data, i)
		dy, dx := grads(t, i)
		for j, g := range dy {
			if y[j] <= 0 || y[j] >= 1 {
				g = 0
			}
			dx[j] = h.Alpha * g
		}
	})
}

func buildHardSigmoid(a Attributes) (engine.Op, error) {
	return &HardSigmoid{Alpha: a.Float("alpha", 0.2), Beta: a.Float("beta", 0.5)}, nil
}
