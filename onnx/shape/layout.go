package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func layoutRules() map[string]rule {
	return map[string]rule{
		"Concat": concat, "DepthToSpace": depthToSpace, "Expand": expand, "Pad": pad, "SpaceToDepth": spaceToDepth, "Tile": tile,
		"Transpose": transpose,
	}
}

// transpose permutes the axes, reversing them without perm.
func transpose(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		return nil
	}
	perm := c.node.Ints("perm")
	if perm == nil {
		for i := len(x.shape) - 1; i >= 0; i-- {
			perm = append(perm, int64(i))
		}
	}
	if len(perm) != len(x.shape) {
		return fmt.Errorf("permutation %v does not fit %s", perm, x.shape)
	}
	if _, err := axes(perm, len(x.shape)); err != nil {
		return fmt.Errorf("permutation %v: %w", perm, err)
	}
	out := make(tensor.Shape, len(perm))
	for i, p := range perm {
		if p < 0 { // unlike other axes these do not count from behind
			return fmt.Errorf("permutation %v: axis %d is negative", perm, p)
		}
		out[i] = x.shape[p]
	}
	c.set(0, x.dtype, out)
	if x.ints != nil {
		step := x.shape.Strides()
		c.setInts(pick(x.ints, out, func(at []int) int {
			src := 0
			for i, p := range perm {
				src += at[i] * step[p]
			}
			return src
		}))
	}
	return nil
}

// concat joins along one axis; the others must agree.
func concat(c *call) error {
	if len(c.in) == 0 {
		return fmt.Errorf("it has no inputs")
	}
	for _, x := range c.in {
		if !x.ranked() {
			c.set(0, c.in[0].dtype, nil)
			return nil
		}
	}
	a, err := tensor.Axis(c.node.Int("axis", 1), len(c.in[0].shape))
	if err != nil {
		return err
	}
	out := c.in[0].shape.Clone()
	for _, x := range c.in[1:] {
		if len(x.shape) != len(out) {
			return fmt.Errorf("inputs %s and %s differ in rank", out, x.shape)
		}
		for i, d := range x.shape {
			switch {
			case i == a && (d < 0 || out[i] < 0):
				out[i] = -1
			case i == a:
				out[i] += d
			case out[i] < 0:
				out[i] = d
			case d >= 0 && d != out[i]:
				return fmt.Errorf("inputs differ along axis %d: %d and %d", i, out[i], d)
			}
		}
	}
	c.set(0, c.in[0].dtype, out)
	if len(out) == 1 {
		var v []int64
		for _, x := range c.in {
			if x.ints == nil && x.shape[0] != 0 {
				return nil
			}
			v = append(v, x.ints...)
		}
		c.setInts(v)
	}
	return nil
}

// pad adds begins and ends to each axis; they stand in an attribute before operator set 11. Negative pads crop.
func pad(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, x.dtype, nil)
		return nil
	}
	pads, _, _ := c.listArg("pads", 1)
	which, err := c.padAxes(len(x.shape))
	if err != nil {
		return err
	}
	if pads == nil || which == nil {
		c.set(0, x.dtype, unknownShape(len(x.shape)))
		return nil
	}
	if len(pads) != 2*len(which) {
		return fmt.Errorf("%d pads do not fit %s", len(pads), x.shape)
	}
	out := x.shape.Clone()
	for i, a := range which {
		begin, end := pads[i], pads[i+len(which)]
		switch {
		case !isKnown(begin) || !isKnown(end):
			out[a] = -1
		case out[a] >= 0:
			out[a] += int(begin + end)
			if out[a] < 0 {
				return fmt.Errorf("pads %v crop more than %s has", pads, x.shape)
			}
		case begin+end != 0:
			out[a] = -1
		}
	}
	c.set(0, x.dtype, out)
	return nil
}

// padAxes lists the axes that Pad's pads are for: all, or since operator set 18 those of input 3; nil if not known.
func (c *call) padAxes(rank int) ([]int, error) {
	list, given, known := c.listArg("axes", 3)
	if !given {
		all := make([]int, rank)
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	if !known {
		return nil, nil
	}
	which := make([]int, 0, len(list))
	for _, a := range list {
		i, err := tensor.Axis(a, rank)
		if err != nil {
			return nil, err
		}
		which = append(which, i)
	}
	return which, nil
}

// expand broadcasts to a shape given by input 1.
func expand(c *call) error {
	x := c.input(0)
	list := c.input(1).ints
	target, ok := dims(list)
	if list == nil || !ok {
		return nil
	}
	out, err := Broadcast(x.shape, target)
	if err != nil {
		return err
	}
	c.set(0, x.dtype, out)
	if len(x.ints) == 1 {
		c.setInts(pick(x.ints, out, func([]int) int { return 0 }))
	}
	return nil
}

// tile repeats each axis as often as input 1 says.
func tile(c *call) error {
	x, repeats := c.input(0), c.input(1).ints
	if !x.ranked() || repeats == nil {
		return nil
	}
	if len(repeats) != len(x.shape) {
		return fmt.Errorf("%d repeats do not fit %s", len(repeats), x.shape)
	}
	out := x.shape.Clone()
	for i, r := range repeats {
		switch {
		case !isKnown(r) || out[i] < 0 && r != 1:
			out[i] = -1
		case out[i] >= 0:
			out[i] *= int(r)
		}
	}
	c.set(0, x.dtype, out)
	return nil
}

// depthToSpace: X [N C H W] -> Y [N C/b² H*b W*b].
func depthToSpace(c *call) error { return c.moveBlocks(true) }

// spaceToDepth: X [N C H W] -> Y [N C*b² H/b W/b].
func spaceToDepth(c *call) error { return c.moveBlocks(false) }

// moveBlocks is the rule of DepthToSpace and, without toSpace, of SpaceToDepth.
func (c *call) moveBlocks(toSpace bool) error {
	x, b := c.input(0), int(c.node.Int("blocksize", 0))
	if !x.ranked() {
		return nil
	}
	if len(x.shape) != 4 || b < 1 {
		return fmt.Errorf("input %s does not move in blocks of %d", x.shape, b)
	}
	out := x.shape.Clone()
	grow, shrink := []int{2, 3}, []int{1, 1}
	if !toSpace {
		grow, shrink = []int{1, 1}, []int{2, 3}
	}
	for i := range grow {
		if out[shrink[i]] >= 0 {
			if out[shrink[i]]%b != 0 {
				return fmt.Errorf("axis %d of %s is not a multiple of %d", shrink[i], x.shape, b)
			}
			out[shrink[i]] /= b
		}
		if out[grow[i]] >= 0 {
			out[grow[i]] *= b
		}
	}
	c.set(0, x.dtype, out)
	return nil
}
