package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func sliceRules() map[string]rule {
	return map[string]rule{"Gather": gather, "Slice": slice, "Split": split}
}

// bounds is a slice along one axis: count elements from start in steps of step.
type bounds struct{ start, count, step int }

// slice cuts axes; starts, ends, axes and steps stand in attributes before operator set 10.
func slice(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, x.dtype, nil)
		return nil
	}
	var lists [4][]int64
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		list, given, known := c.listArg(name, i+1)
		if !known && (list == nil || i >= 2) || !given && i < 2 {
			c.set(0, x.dtype, unknownShape(len(x.shape)))
			return nil
		}
		lists[i] = list
	}
	cuts, err := cutAxes(x.shape, lists)
	if err != nil {
		return err
	}
	out := make(tensor.Shape, len(cuts))
	for i, b := range cuts {
		out[i] = b.count
	}
	c.set(0, x.dtype, out)
	if x.ints != nil {
		step := x.shape.Strides()
		c.setInts(pick(x.ints, out, func(at []int) int {
			src := 0
			for i, b := range cuts {
				src += (b.start + at[i]*b.step) * step[i]
			}
			return src
		}))
	}
	return nil
}

// cutAxes works out the bounds of all axes; count is -1 where it is unknown.
func cutAxes(shape tensor.Shape, lists [4][]int64) ([]bounds, error) {
	starts, ends, which, steps := lists[0], lists[1], lists[2], lists[3]
	cuts := make([]bounds, len(shape))
	for i, d := range shape {
		cuts[i] = bounds{0, d, 1}
	}
	if len(ends) != len(starts) || which != nil && len(which) != len(starts) || steps != nil && len(steps) != len(starts) {
		return nil, fmt.Errorf("starts, ends, axes and steps differ in length")
	}
	for i := range starts {
		a, step := int64(i), int64(1)
		if which != nil {
			a = which[i]
		}
		if steps != nil {
			step = steps[i]
		}
		at, err := tensor.Axis(a, len(shape))
		if err != nil {
			return nil, err
		}
		if step == 0 {
			return nil, fmt.Errorf("the step along axis %d is 0", at)
		}
		cuts[at] = cut(shape[at], starts[i], ends[i], step)
	}
	return cuts, nil
}

// cut slices an axis of size d as ONNX's Slice does: negative positions count from the end, then all are clamped.
func cut(d int, start, end, step int64) bounds {
	if d < 0 || !isKnown(start) || !isKnown(end) {
		return bounds{0, -1, 1}
	}
	size := int64(d)
	clamp := func(p, lo, hi int64) int64 {
		if p < 0 {
			p += size
		}
		return min(max(p, lo), hi)
	}
	if step > 0 {
		s, e := clamp(start, 0, size), clamp(end, 0, size)
		if e <= s {
			return bounds{0, 0, 1}
		}
		return bounds{int(s), int((e-s-1)/step) + 1, int(step)}
	}
	s, e := clamp(start, -1, size-1), clamp(end, -1, size-1)
	if s <= e {
		return bounds{0, 0, 1}
	}
	if step < -size { // one element; a huge step must not overflow
		step = -size - 1
	}
	return bounds{int(s), int((s-e-1)/-step) + 1, int(step)}
}

// gather takes indices along one axis: X [a.. d b..], I [i..] -> Y [a.. i.. b..].
func gather(c *call) error {
	x, index := c.input(0), c.input(1)
	if !x.ranked() || !index.ranked() {
		c.set(0, x.dtype, nil)
		return nil
	}
	a, err := tensor.Axis(c.node.Int("axis", 0), len(x.shape))
	if err != nil {
		return err
	}
	out := append(x.shape[:a].Clone(), index.shape...)
	out = append(out, x.shape[a+1:]...)
	if out == nil {
		out = tensor.Shape{}
	}
	c.set(0, x.dtype, out)
	if x.ints == nil || index.ints == nil || len(x.shape) != 1 {
		return nil
	}
	v := make([]int64, len(index.ints))
	for i, at := range index.ints {
		v[i] = unknown
		if !isKnown(at) {
			continue
		}
		if at, err = wrap(at, x.shape[0]); err != nil {
			return err
		}
		v[i] = x.ints[at]
	}
	c.setInts(v)
	return nil
}

// wrap brings an index counted from the end into range.
func wrap(i int64, n int) (int64, error) {
	if i < -int64(n) || i >= int64(n) {
		return 0, fmt.Errorf("index %d is outside of %d elements", i, n)
	}
	if i < 0 {
		i += int64(n)
	}
	return i, nil
}

// split cuts one axis into parts: of the sizes given, else equal ones with a smaller last.
func split(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		return nil
	}
	a, err := tensor.Axis(c.node.Int("axis", 0), len(x.shape))
	if err != nil {
		return err
	}
	sizes, given, known := c.listArg("split", 1)
	if given && known && len(sizes) != len(c.out) {
		return fmt.Errorf("%d sizes for %d outputs", len(sizes), len(c.out))
	}
	for i := range c.out {
		out := x.shape.Clone()
		switch {
		case given && known:
			out[a] = int(sizes[i])
		case given || out[a] < 0:
			out[a] = -1
		default:
			part := (out[a] + len(c.out) - 1) / len(c.out)
			out[a] = max(0, min(part, out[a]-i*part))
		}
		c.set(i, x.dtype, out)
	}
	return nil
}
