package ops

import "github.com/mpqc/mpqc/internal/engine"

// curve is a smooth function of one element, computed in double precision: y = value(x), dx = dy*slope(x, y). The slope
// sees only what reads asks to keep; the other argument is 0.
type curve struct {
	unary
	kind  string
	value func(x float64) float64
	slope func(x, y float64) float64
	reads engine.Retain
}

// readsX and readsY are what slopes need.
func readsX() engine.Retain { return engine.Retain{In: []int{0}} }
func readsY() engine.Retain { return engine.Retain{Out: []int{0}} }

// Type is the ONNX operator.
func (o *curve) Type() string { return o.kind }

// Forward computes y.
func (o *curve) Forward(t *engine.Task) {
	o.forward(t, func(t *engine.Task, i int) {
		f := t.Node.Op.(*curve).value
		x, y := xy(t, i)
		for j, v := range x {
			y[j] = float32(f(float64(v)))
		}
	})
}

// Retain keeps what the slope reads.
func (o *curve) Retain() engine.Retain { return o.reads }

// Backward computes dx.
func (o *curve) Backward(t *engine.Task) {
	o.backward(t, func(t *engine.Task, i int) {
		o := t.Node.Op.(*curve)
		kept := t.In[0].Data
		if len(o.reads.In) == 0 {
			kept = t.Out[0].Data
		}
		v := block(kept, i)
		dy, dx := grads(t, i)
		for j, g := range dy {
			if len(o.reads.In) == 0 {
				dx[j] = float32(float64(g) * o.slope(0, float64(v[j])))
			} else {
				dx[j] = float32(float64(g) * o.slope(float64(v[j]), 0))
			}
		}
	})
}
