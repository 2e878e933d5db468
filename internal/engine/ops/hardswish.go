package ops

import "github.com/mpqc/mpqc/internal/engine"

// HardSwish is y = x*min(max(x/6+1/2, 0), 1); dx = dy*(x/3+1/2) for |x| < 3, dy above, 0 below.
type HardSwish struct{ unary }

// Type is "HardSwish".
func (*HardSwish) Type() string { return "HardSwish" }

// Forward computes y.
func (o *HardSwish) Forward(t *engine.Task) {
	o.forward(t, func(t *engine.Task, i int) {
		x, y := xy(t, i)
		for j, v := range x {
			y[j] = v * min(max(v/6+0.5, 0), 1)
		}
	})
}

// Retain keeps x.
func (*HardSwish) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dx.
func (o *HardSwish) Backward(t *engine.Task) {
	o.backward(t, func(t *engine.Task, i int) {
		x := block(t.In[0].Data, i)
		dy, dx := grads(t, i)
		for j, g := range dy {
			switch v := x[j]; {
			case v <= -3:
				g = 0
			case v < 3:
				g *= v/3 + 0.5
			}
			dx[j] = g
		}
	})
}

func buildHardSwish(Attributes) (engine.Op, error) { return &HardSwish{}, nil }
