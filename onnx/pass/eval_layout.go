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
	own, shape, step := strides(t.Shape), make(tensor.Shape, len(perm)), make([]int, len(perm))
	seen := make([]bool, len(perm))
	for i, p := range perm {
		a, err := axis(p, len(perm))
		if err != nil || seen[a] {
			return nil, fmt.Errorf("perm %v is no order of %d axes", perm, len(perm))
		}
		shape[i], step[i], seen[a] = t.Shape[a], own[a], true
	}
	return one(rearrange(t, shape, mapped(shape, step, 0)))
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
	a, err := axis(c.node.Int("axis", 0), len(t.Shape))
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
	return one(rearrange(t, shape, func(i int) int {
		in, k := i%inner, i/inner
		return (k/len(index)*t.Shape[a]+int(index[k%len(index)]))*inner + in
	}))
}

func evalSlice(c call) ([]*tensor.Tensor, error) {
	t, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	var args [4][]int64 // starts, ends, axes, steps
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		if args[i], err = c.intsOr(name, i+1); err != nil {
			return nil, err
		}
	}
	shape, step, start, err := sliced(t.Shape, args)
	if err != nil {
		return nil, err
	}
	return one(rearrange(t, shape, mapped(shape, step, start)))
}

// sliced is the shape of a slice, the offset of its first element, and those per step of each axis.
func sliced(of tensor.Shape, args [4][]int64) (shape tensor.Shape, step []int, start int, err error) {
	if len(args[0]) != len(args[1]) || (args[2] != nil && len(args[2]) != len(args[0])) || (args[3] != nil && len(args[3]) != len(args[0])) {
		return nil, nil, 0, errors.New("starts, ends, axes and steps differ in length")
	}
	own, seen := strides(of), make([]bool, len(of))
	shape, step = of.Clone(), strides(of)
	for i := range args[0] {
		a, by := int64(i), int64(1)
		if args[2] != nil {
			a = args[2][i]
		}
		if args[3] != nil {
			by = args[3][i]
		}
		d, err := axis(a, len(of))
		if err != nil {
			return nil, nil, 0, err
		}
		if by == 0 || by == math.MinInt64 || seen[d] {
			return nil, nil, 0, fmt.Errorf("step %d on axis %d", by, d)
		}
		from, n := sliceRange(args[0][i], args[1][i], by, int64(of[d]))
		shape[d], seen[d] = int(n), true
		start += int(from) * own[d]
		step[d] = int(by) * own[d]
	}
	return shape, step, start, nil
}

// sliceRange clamps as ONNX says and returns the first index and the count.
func sliceRange(start, end, by, dim int64) (first, count int64) {
	wrap := func(x int64) int64 {
		if x < 0 {
			return x + dim
		}
		return x
	}
	if by > 0 {
		start, end = min(max(wrap(start), 0), dim), min(max(wrap(end), 0), dim)
		if end <= start {
			return 0, 0
		}
		return start, (end-start-1)/by + 1
	}
	start, end = min(max(wrap(start), -1), dim-1), min(max(wrap(end), -1), dim-1)
	if end >= start {
		return 0, 0
	}
	return start, (start-end-1)/(-by) + 1
}

func evalConcat(c call) ([]*tensor.Tensor, error) {
	first, err := c.arg(0)
	if err != nil {
		return nil, err
	}
	a, err := axis(c.node.Int("axis", 0), len(first.Shape))
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
	if n := shape.Numel(); n < 0 || n > maxFold {
		return nil, fmt.Errorf("%w: result of shape %s", errNoEval, shape)
	}
	outer := first.Shape[:a].Numel()
	raw := make([]byte, 0, shape.Numel()*size)
	for o := range outer {
		for _, t := range c.in {
			n := t.Shape[a:].Numel() * size
			raw = append(raw, t.Raw[o*n:(o+1)*n]...)
		}
	}
	return one(tensor.New(first.DType, shape, raw))
}

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
		a, err := axis(x, rank)
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
		a, err := axis(x, len(t.Shape))
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
	return one(expand(t, shape))
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
	return broadcast(from, s)
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
	own, shape := strides(t.Shape), t.Shape.Clone()
	for i := range shape {
		shape[i] *= by[i]
	}
	return one(rearrange(t, shape, func(i int) int {
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
