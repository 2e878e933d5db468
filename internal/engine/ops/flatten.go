package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Flatten makes a matrix: dimensions before Axis are its rows, the others its columns.
type Flatten struct {
	view
	Axis int64
}

// Type is "Flatten".
func (*Flatten) Type() string { return "Flatten" }

// Infer multiplies dimensions out. Axis may equal the rank.
func (o *Flatten) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	a := int(o.Axis)
	if a < 0 {
		a += len(in[0])
	}
	if a < 0 || a > len(in[0]) {
		return nil, fmt.Errorf("axis %d is outside rank %d", o.Axis, len(in[0]))
	}
	return []tensor.Shape{{in[0][:a].Numel(), in[0][a:].Numel()}}, nil
}

func buildFlatten(a Attributes) (engine.Op, error) { return &Flatten{Axis: a.Int("axis", 1)}, nil }
