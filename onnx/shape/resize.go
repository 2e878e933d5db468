package shape

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

func resizeRules() map[string]rule { return map[string]rule{"Resize": resize} }

// resize takes the new sizes from input 3, or from constant scales, input 2; computed scales are not followed, and
// leave only the rank known. An axis that keeps its size stays as it is, the open batch too.
func resize(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, x.dtype, nil)
		return nil
	}
	sizes := c.input(3).ints
	if sizes == nil {
		sizes = scaled(c)
	}
	if sizes == nil {
		c.set(0, x.dtype, unknownShape(len(x.shape)))
		return nil
	}
	target, ok := dims(sizes)
	if !ok {
		return fmt.Errorf("sizes %v are negative", sizes)
	}
	which := c.node.Ints("axes")
	if which == nil {
		for i := range x.shape {
			which = append(which, int64(i))
		}
	}
	if len(target) != len(which) {
		return fmt.Errorf("%d sizes for %d axes", len(target), len(which))
	}
	out := x.shape.Clone()
	for i, a := range which {
		at, err := tensor.Axis(a, len(out))
		if err != nil {
			return err
		}
		if target[i] >= 0 {
			out[at] = target[i]
		}
	}
	c.set(0, x.dtype, out)
	return nil
}

// scaled works the sizes out of constant scales, nil if there are none. Dimensions that are not known stay so.
func scaled(c *call) []int64 {
	v := c.node.Input(2)
	if v == nil || v.Const() == nil {
		return nil
	}
	scales, err := tensor.Floats(v.Const())
	if err != nil || len(scales) == 0 {
		return nil
	}
	x, which := c.input(0).shape, c.node.Ints("axes")
	if which == nil && len(scales) != len(x) || which != nil && len(scales) != len(which) {
		return nil
	}
	sizes := make([]int64, len(scales))
	for i, f := range scales {
		a := i
		if which != nil {
			if a, err = tensor.Axis(which[i], len(x)); err != nil {
				return nil
			}
		}
		size := math.Floor(float64(x[a]) * float64(f))
		switch {
		case x[a] < 0 && f == 1:
			sizes[i] = batch
		case x[a] < 0 || !(size >= 0 && size < math.MaxInt32):
			return nil
		default:
			sizes[i] = int64(size)
		}
	}
	return sizes
}
