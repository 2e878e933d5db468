package pass

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func evalReshape(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	want, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	shape, open, known := make(tensor.Shape, len(want)), -1, 1
	for i, d := range want {
		switch {
		case d == -1 && open < 0:
			open = i
			continue
		case d == 0 && c.node.Int("allowzero", 0) == 0 && i < len(t.Shape):
			d = int64(t.Shape[i])
		case d < 0:
			return nil, fmt.Errorf("shape %v", want)
		}
		shape[i] = int(d)
		known *= int(d)
	}
	if open >= 0 {
		if known == 0 || t.Shape.Numel()%known != 0 {
			return nil, fmt.Errorf("%s does not reshape to %v", t.Shape, want)
		}
		shape[open] = t.Shape.Numel() / known
	}
	return reshaped(t, shape)
}

// reshaped shares the bytes; New checks that the element counts agree.
func reshaped(t *tensor.Tensor, shape tensor.Shape) ([]*tensor.Tensor, error) {
	return one(tensor.New(t.DType, shape, t.Raw))
}

func evalFlatten(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	a := c.node.Int("axis", 1)
	if a < 0 {
		a += int64(len(t.Shape))
	}
	if a < 0 || a > int64(len(t.Shape)) {
		return nil, fmt.Errorf("axis %d outside rank %d", a, len(t.Shape))
	}
	return reshaped(t, tensor.Shape{t.Shape[:a].Numel(), t.Shape[a:].Numel()})
}

func evalUnsqueeze(c call) ([]*tensor.Tensor, error) {
	t, axes, err := c.withAxes()
	if err != nil {
		return nil, err
	}
	rank := len(t.Shape) + len(axes)
	isNew := make([]bool, rank)
	for _, x := range axes {
		a, err := tensor.Axis(x, rank)
		if err != nil || isNew[a] {
			return nil, fmt.Errorf("axes %v", axes)
		}
		isNew[a] = true
	}
	rest, shape := t.Shape, make(tensor.Shape, 0, rank)
	for _, fresh := range isNew {
		if fresh {
			shape = append(shape, 1)
			continue
		}
		shape, rest = append(shape, rest[0]), rest[1:]
	}
	return reshaped(t, shape)
}

func evalSqueeze(c call) ([]*tensor.Tensor, error) {
	t, axes, err := c.withAxes()
	if err != nil {
		return nil, err
	}
	drop := make([]bool, len(t.Shape))
	for _, x := range axes {
		a, err := tensor.Axis(x, len(t.Shape))
		if err != nil || t.Shape[a] != 1 {
			return nil, fmt.Errorf("axes %v of shape %s", axes, t.Shape)
		}
		drop[a] = true
	}
	shape := tensor.Shape{}
	for i, d := range t.Shape {
		if !drop[i] && (axes != nil || d != 1) {
			shape = append(shape, d)
		}
	}
	return reshaped(t, shape)
}

func (c call) withAxes() (*tensor.Tensor, []int64, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, nil, err
	}
	axes, err := c.intsOr("axes", 1)
	return t, axes, err
}
