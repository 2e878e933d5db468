package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Pad surrounds x with Value: Pads holds the counts before every dimension of Axes (all if empty), then those after.
// Negative counts crop.
type Pad struct {
	mover
	Pads, Axes []int64
	Value      float32
}

// Type is "Pad".
func (*Pad) Type() string { return "Pad" }

// Absorb takes pads, value and axes, inputs 1 to 3.
func (o *Pad) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	pads, ok, err := constInts(in, 1, "pads of Pad")
	if err != nil {
		return nil, err
	}
	if ok {
		o.Pads = pads
	}
	if o.Value, err = constFloat(in, 2, "value of Pad", o.Value); err != nil {
		return nil, err
	}
	axes, ok, err := constInts(in, 3, "axes of Pad")
	if ok {
		o.Axes = axes
	}
	return in[:min(1, len(in))], err
}

// Infer adds the counts.
func (o *Pad) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	_, y, err := o.plan(in[0])
	return []tensor.Shape{y}, err
}

// plan returns the walk over the elements that x and y have in common, and the shape of y.
func (o *Pad) plan(x tensor.Shape) (walk, tensor.Shape, error) {
	n := len(x)
	if len(o.Axes) > 0 {
		n = len(o.Axes)
	}
	if len(o.Pads) != 2*n {
		return walk{}, nil, fmt.Errorf("%d pads for %d dimensions", len(o.Pads), n)
	}
	y, both := x.Clone(), x.Clone()
	begin := make([]int, len(x))
	for i := range n {
		a := i
		if len(o.Axes) > 0 {
			var err error
			if a, err = tensor.Axis(o.Axes[i], len(x)); err != nil {
				return walk{}, nil, err
			}
		}
		before, after := int(o.Pads[i]), int(o.Pads[i+n])
		y[a] += before + after
		both[a] += min(before, 0) + min(after, 0) // the part that x and y have in common
		begin[a] = before
		if y[a] < 0 || both[a] < 0 {
			return walk{}, nil, fmt.Errorf("pads %v crop more than %s has", o.Pads, x)
		}
	}
	sx, sy := x.Strides(), y.Strides()
	fx, fy := 0, 0
	for a, b := range begin {
		fx += max(-b, 0) * sx[a]
		fy += max(b, 0) * sy[a]
	}
	w, err := newWalk(both, []int{fx, fy}, sx, sy)
	return w, y, err
}

// Forward computes y.
func (o *Pad) Forward(t *engine.Task) {
	y := t.Out[0].Data
	if o.Value == 0 {
		clear(y)
	} else {
		for i := range y {
			y[i] = o.Value
		}
	}
	o.forward(t, o.plan)
}

// Backward computes dx, zero where x was cropped.
func (o *Pad) Backward(t *engine.Task) { o.backward(t, true) }

func buildPad(a Attributes) (engine.Op, error) {
	if mode := a.Str("mode", "constant"); mode != "constant" {
		return nil, fmt.Errorf("mode %q is not supported, only constant", mode)
	}
	return &Pad{Pads: a.Ints("pads"), Value: a.Float("value", 0)}, nil
}
