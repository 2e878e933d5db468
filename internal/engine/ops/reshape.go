package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Reshape reinterprets x. In Shape, -1 is whatever is left and 0 copies the input's dimension (unless AllowZero).
type Reshape struct {
	view
	Shape     []int64
	AllowZero bool
}

// Type is "Reshape".
func (*Reshape) Type() string { return "Reshape" }

// Absorb takes the shape, input 1.
func (o *Reshape) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	s, ok, err := constInts(in, 1, "shape of Reshape")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("Reshape has no shape")
	}
	o.Shape = s
	return in[:1], nil
}

// Infer resolves -1 and 0.
func (o *Reshape) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	out := make(tensor.Shape, len(o.Shape))
	left, rest := -1, 1
	for i, d := range o.Shape {
		switch {
		case d == 0 && !o.AllowZero:
			if i >= len(in[0]) {
				return nil, fmt.Errorf("dimension %d of shape %v has no counterpart in %s", i, o.Shape, in[0])
			}
			out[i] = in[0][i]
		case d == -1:
			if left >= 0 {
				return nil, fmt.Errorf("shape %v has two open dimensions", o.Shape)
			}
			left = i
			continue
		case d < 0:
			return nil, fmt.Errorf("shape %v has a negative dimension", o.Shape)
		default:
			out[i] = int(d)
		}
		rest *= out[i]
	}
	n := in[0].Numel()
	if left >= 0 {
		if rest == 0 || n%rest != 0 {
			return nil, fmt.Errorf("%s does not reshape to %v", in[0], o.Shape)
		}
		out[left] = n / rest
		rest = n
	}
	if rest != n {
		return nil, fmt.Errorf("%s does not reshape to %v", in[0], o.Shape)
	}
	return []tensor.Shape{out}, nil
}

func buildReshape(a Attributes) (engine.Op, error) {
	return &Reshape{AllowZero: a.Int("allowzero", 0) != 0}, nil
}
