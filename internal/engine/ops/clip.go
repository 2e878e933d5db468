package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// Clip is y = min(max(x, Min), Max); dx = dy where Min < y < Max, 0 at the bounds as PyTorch's hardtanh has it.
// Absent bounds are infinite.
type Clip struct {
	unary
	engine.Simple
	Min, Max float32
}

// Type is "Clip".
func (*Clip) Type() string { return "Clip" }

// Absorb takes the bounds, inputs 1 and 2.
func (o *Clip) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	var err error
	if o.Min, err = constFloat(in, 1, "lower bound of Clip", o.Min); err != nil {
		return nil, err
	}
	if o.Max, err = constFloat(in, 2, "upper bound of Clip", o.Max); err != nil {
		return nil, err
	}
	return in[:min(1, len(in))], nil
}

// Forward computes y.
func (o *Clip) Forward(t *engine.Task) {
	o.forward(t, func(t *engine.Task, i int) {
		c := t.Node.Op.(*Clip)
		x, y := xy(t, i)
		kernel.Clip(x, c.Min, c.Max, y)
	})
}

// Retain keeps y.
func (*Clip) Retain() engine.Retain { return engine.Retain{Out: []int{0}} }

// Backward computes dx.
func (o *Clip) Backward(t *engine.Task) {
	o.backward(t, func(t *engine.Task, i int) {
		c := t.Node.Op.(*Clip)
		dy, dx := grads(t, i)
		kernel.ClipGrad(block(t.Out[0].Data, i), dy, c.Min, c.Max, dx)
	})
}

// Map computes a piece of y.
func (o *Clip) Map(_ *engine.Task, p *engine.Piece) { kernel.Clip(p.X, o.Min, o.Max, p.Y) }

// Slope computes a piece of dx: where x lies between the bounds, y does.
func (o *Clip) Slope(_ *engine.Task, p *engine.Piece) { kernel.ClipGrad(p.X, p.DY, o.Min, o.Max, p.DX) }

func buildClip(a Attributes) (engine.Op, error) {
	inf := float32(math.Inf(1))
	return &Clip{Min: a.Float("min", -inf), Max: a.Float("max", inf)}, nil
}
