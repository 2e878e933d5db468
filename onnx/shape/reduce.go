package shape

import "github.com/mpqc/mpqc/internal/tensor"

func reduceRules() map[string]rule {
	return map[string]rule{"ArgMax": argReduce, "ArgMin": argReduce}
}

// reduce drops the axes, or keeps them with one element (keepdims, the default). No axes means all of them, unless
// noop_with_empty_axes is set.
func reduce(c *call) error {
	x := c.input(0)
	list, given, known := c.listArg("axes", 1)
	keep := c.node.Int("keepdims", 1) != 0
	if !x.ranked() || !known {
		c.set(0, x.dtype, nil)
		if x.ranked() && keep { // the rank is known at least
			out := x.shape.Clone()
			for i := range out {
				out[i] = -1
			}
			c.set(0, x.dtype, out)
		}
		return nil
	}
	if !given || len(list) == 0 {
		if c.node.Int("noop_with_empty_axes", 0) != 0 {
			c.set(0, x.dtype, x.shape)
			return nil
		}
		list = nil
		for i := range x.shape {
			list = append(list, int64(i))
		}
	}
	marked, err := axes(list, len(x.shape))
	if err != nil {
		return err
	}
	c.set(0, x.dtype, reduced(x.shape, marked, keep))
	return nil
}

// reduced drops the marked dimensions of s, or makes them 1 with keep.
func reduced(s tensor.Shape, marked []bool, keep bool) tensor.Shape {
	out := tensor.Shape{}
	for i, d := range s {
		switch {
		case !marked[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

// argReduce gives the index of an extreme element along one axis.
func argReduce(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, tensor.Int64, nil)
		return nil
	}
	marked, err := axes([]int64{c.node.Int("axis", 0)}, len(x.shape))
	if err != nil {
		return err
	}
	c.set(0, tensor.Int64, reduced(x.shape, marked, c.node.Int("keepdims", 1) != 0))
	return nil
}
