package ops

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Squeeze drops dimensions of size 1: those of Axes, or all but the batch if there are none. (ONNX would drop a
// batch of 1 as well; a graph that depends on it works for one batch only.)
type Squeeze struct {
	view
	Axes []int64
}

// Type is "Squeeze".
func (*Squeeze) Type() string { return "Squeeze" }

// Absorb takes the axes, input 1.
func (o *Squeeze) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	axes, ok, err := constInts(in, 1, "axes of Squeeze")
	if ok {
		o.Axes = axes
	}
	return in[:min(1, len(in))], err
}

// Infer drops the dimensions.
func (o *Squeeze) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	drop := make([]bool, len(in[0]))
	for _, axis := range o.Axes {
		a, err := tensor.Axis(axis, len(in[0]))
		if err != nil {
			return nil, err
		}
		if in[0][a] != 1 {
			return nil, fmt.Errorf("dimension %d of %s is not 1", a, in[0])
		}
		drop[a] = true
	}
	out := tensor.Shape{}
	for i, d := range in[0] {
		if drop[i] || len(o.Axes) == 0 && d == 1 && i > 0 {
			continue
		}
		out = append(out, d)
	}
	return []tensor.Shape{out}, nil
}

func buildSqueeze(a Attributes) (engine.Op, error) { return &Squeeze{Axes: a.Ints("axes")}, nil }

// Unsqueeze inserts dimensions of size 1 so that they stand at Axes of the output.
type Unsqueeze struct {
	view
	Axes []int64
}

// Type is "Unsqueeze".
func (*Unsqueeze) Type() string { return "Unsqueeze" }

// Absorb takes the axes, input 1.
func (o *Unsqueeze) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	axes, ok, err := constInts(in, 1, "axes of Unsqueeze")
	if ok {
		o.Axes = axes
	}
	return in[:min(1, len(in))], err
}

// Infer inserts the dimensions.
func (o *Unsqueeze) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	rank := len(in[0]) + len(o.Axes)
	at := make([]int, len(o.Axes))
	for i, axis := range o.Axes {
		a, err := tensor.Axis(axis, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(at[:i], a) {
			return nil, fmt.Errorf("axis %d is named twice", a)
		}
		at[i] = a
	}
	out, next := make(tensor.Shape, rank), 0
	for i := range out {
		if slices.Contains(at, i) {
			out[i] = 1
			continue
		}
		out[i] = in[0][next]
		next++
	}
	return []tensor.Shape{out}, nil
}

func buildUnsqueeze(a Attributes) (engine.Op, error) { return &Unsqueeze{Axes: a.Ints("axes")}, nil }
