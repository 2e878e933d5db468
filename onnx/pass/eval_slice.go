package pass

import (
	"errors"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

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
	return one(rearrange(t, shape, c.room, mapped(shape, step, start)))
}

// sliced is the shape of a slice, the offset of its first element, and those per step of each axis.
func sliced(of tensor.Shape, args [4][]int64) (shape tensor.Shape, step []int, start int, err error) {
	if len(args[0]) != len(args[1]) || (args[2] != nil && len(args[2]) != len(args[0])) || (args[3] != nil && len(args[3]) != len(args[0])) {
		return nil, nil, 0, errors.New("starts, ends, axes and steps differ in length")
	}
	own, seen := of.Strides(), make([]bool, len(of))
	shape, step = of.Clone(), of.Strides()
	for i := range args[0] {
		a, by := int64(i), int64(1)
		if args[2] != nil {
			a = args[2][i]
		}
		if args[3] != nil {
			by = args[3][i]
		}
		d, err := tensor.Axis(a, len(of))
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
