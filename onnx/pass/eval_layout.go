package pass

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
)

func evalTranspose(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	perm := c.node.Ints("perm")
	if perm == nil {
		for i := len(t.Shape) - 1; i >= 0; i-- {
			perm = append(perm, int64(i))
		}
	}
	if len(perm) != len(t.Shape) {
		return nil, fmt.Errorf("perm %v does not fit rank %d", perm, len(t.Shape))
	}
	own, shape, step := t.Shape.Strides(), make(tensor.Shape, len(perm)), make([]int, len(perm))
	seen := make([]bool, len(perm))
	for i, p := range perm {
		a, err := tensor.Axis(p, len(perm))
		if err != nil || seen[a] {
			return nil, fmt.Errorf("perm %v is no order of %d axes", perm, len(perm))
		}
		shape[i], step[i], seen[a] = t.Shape[a], own[a], true
	}
	return one(rearrange(t, shape, c.room, mapped(shape, step, 0)))
}

func evalGather(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	index, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	a, err := tensor.Axis(c.node.Int("axis", 0), len(t.Shape))
	if err != nil {
		return nil, err
	}
	for i, x := range index {
		if x < 0 {
			index[i] += int64(t.Shape[a])
		}
		if index[i] < 0 || index[i] >= int64(t.Shape[a]) {
			return nil, fmt.Errorf("index %d outside axis of %d", x, t.Shape[a])
		}
	}
	shape := slices.Concat(t.Shape[:a], c.in[1].Shape, t.Shape[a+1:])
	inner := t.Shape[a+1:].Numel()
	return one(rearrange(t, shape, c.room, func(i int) int {
		in, k := i%inner, i/inner
		return (k/len(index)*t.Shape[a]+int(index[k%len(index)]))*inner + in
	}))
}

func evalConcat(c call) ([]*tensor.Tensor, error) {
	first, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	a, err := tensor.Axis(c.node.Int("axis", 0), len(first.Shape))
	if err != nil {
		return nil, err
	}
	size, err := elementSize(first)
	if err != nil {
		return nil, err
	}
	shape := first.Shape.Clone()
	shape[a] = 0
	for i := range c.in {
		t, err := c.arg(i)
		if err != nil {
			return nil, err
		}
		if t.DType != first.DType || len(t.Shape) != len(shape) {
			return nil, errors.New("operands differ in type or rank")
		}
		for d := range shape {
			if d != a && t.Shape[d] != first.Shape[d] {
				return nil, fmt.Errorf("operands of shape %s and %s", first.Shape, t.Shape)
			}
		}
		shape[a] += t.Shape[a]
	}
	if !fits(shape, c.room) {
		return nil, fmt.Errorf("%w: result of shape %s", errNoEval, shape)
	}
	whole := shape.Numel() * size
	raw := make([]byte, 0, whole)
	for o := 0; len(raw) < whole; o++ { // not at all where there are no elements, however many rows there are
		for _, t := range c.in {
			n := t.Shape[a:].Numel() * size
			raw = append(raw, t.Raw[o*n:(o+1)*n]...)
		}
	}
	return one(tensor.New(first.DType, shape, raw))
}

func evalExpand(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	to, err := c.arg(1)
	if err != nil {
		return nil, err
	}
	shape, err := expanded(t.Shape, to)
	if err != nil {
		return nil, err
	}
	return one(expand(t, shape, c.room))
}

// expanded is the shape of Expand's result.
func expanded(from tensor.Shape, to *tensor.Tensor) (tensor.Shape, error) {
	want, err := tensor.Ints(to)
	if err != nil {
		return nil, err
	}
	s, err := dims(want)
	if err != nil {
		return nil, err
	}
	return tensor.Broadcast(from, s)
}

func evalTile(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	repeats, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	if len(repeats) != len(t.Shape) {
		return nil, fmt.Errorf("repeats %v do not fit shape %s", repeats, t.Shape)
	}
	by, err := dims(repeats)
	if err != nil {
		return nil, err
	}
	own, shape := t.Shape.Strides(), t.Shape.Clone()
	for i := range shape {
		if by[i] > 0 && shape[i] > math.MaxInt/by[i] {
			return nil, fmt.Errorf("%w: %s repeated %v times", errNoEval, t.Shape, repeats)
		}
		shape[i] *= by[i]
	}
	return one(rearrange(t, shape, c.room, func(i int) int {
		off := 0
		for d := len(shape) - 1; d >= 0; d-- {
			off += i % shape[d] % t.Shape[d] * own[d]
			i /= shape[d]
		}
		return off
	}))
}

// dims turns integers into a shape without unknown dimensions.
func dims(v []int64) (tensor.Shape, error) {
	s := make(tensor.Shape, len(v))
	for i, d := range v {
		if d < 0 || d > math.MaxInt32 {
			return nil, fmt.Errorf("%w: shape %v", errNoEval, v)
		}
		s[i] = int(d)
	}
	return s, nil
}
