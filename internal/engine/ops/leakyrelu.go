package ops

import "github.com/mpqc/mpqc/internal/engine"

// LeakyRelu is y = x where x >= 0, else Alpha*x; dx = dy or Alpha*dy by the sign of x.
type LeakyRelu struct {
	unary
	Alpha float32
}

// Type is "LeakyRelu".
func (*LeakyRelu) Type() string { return "LeakyRelu" }

// Forward computes y.
func (o *LeakyRelu) Forward(t *engine.Task) {
	o.forward(t, func(t *engine.Task, i int) {
		alpha := t.Node.Op.(*LeakyRelu).Alpha
		x, y := xy(t, i)
		for j, v := range x {
			if v < 0 {
				v *= alpha
			}
			y[j] = v
		}
	})
}

// Retain keeps x.
func (*LeakyRelu) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dx.
func (o *LeakyRelu) Backward(t *engine.Task) {
	o.backward(t, func(t *engine.Task, i int) {
		alpha := t.Node.Op.(*LeakyRelu).Alpha
		x := block(t.In[0].Data, i)
		dy, dx := grads(t, i)
		for j, g := range dy {
			if x[j] < 0 {
				g *= alpha
			}
			dx[j] = g
		}
	})
}

func buildLeakyRelu(a Attributes) (engine.Op, error) {
	return &LeakyRelu{Alpha: a.Float("alpha", 0.01)}, nil
}
