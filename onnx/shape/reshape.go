package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func reshapeRules() map[string]rule {
	return map[string]rule{"Flatten": flatten, "Reshape": reshape, "Squeeze": squeeze, "Unsqueeze": unsqueeze}
}

// flatten: the axes before axis become rows, the others columns. It keeps integers, as all operators here do: they
// move no element.
func flatten(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, x.dtype, tensor.Shape{-1, -1})
		return nil
	}
	a := c.node.Int("axis", 1)
	if a < 0 {
		a += int64(len(x.shape))
	}
	if a < 0 || a > int64(len(x.shape)) {
		return fmt.Errorf("axis %d is outside of rank %d", a, len(x.shape))
	}
	c.set(0, x.dtype, tensor.Shape{x.shape[:a].Numel(), x.shape[a:].Numel()})
	c.setInts(x.ints)
	return nil
}

// reshape: in the new shape, 0 copies a dimension (unless allowzero) and one -1 takes what is left.
func reshape(c *call) error {
	x, target := c.input(0), c.input(1)
	list := target.ints
	if c.node.Has("shape") { // operator set 1
		list = c.node.Ints("shape")
	}
	if list == nil {
		if len(target.shape) == 1 && target.shape[0] >= 0 && target.shape[0] <= maxInts {
			c.set(0, x.dtype, unknownShape(target.shape[0]))
		}
		return nil
	}
	out, err := reshapeTo(x.shape, list, c.node.Int("allowzero", 0) != 0)
	if err != nil {
		return err
	}
	c.set(0, x.dtype, out)
	c.setInts(x.ints)
	return nil
}

func unknownShape(rank int) tensor.Shape {
	s := make(tensor.Shape, rank)
	for i := range s {
		s[i] = -1
	}
	return s
}

// reshapeTo applies a target to a shape, nil if that is unknown. A dimension of x that is unknown and reappears in the
// target, copied or as the batch size, cancels, so that -1 can be worked out without it.
func reshapeTo(x tensor.Shape, target []int64, allowZero bool) (tensor.Shape, error) {
	out := make(tensor.Shape, len(target))
	rest, open := -1, map[int]bool{} // where -1 stands; unknown dimensions of x that have not reappeared
	for i, d := range x {
		if d < 0 {
			open[i] = true
		}
	}
	solvable := x != nil
	for i, d := range target {
		switch {
		case d == -1 && rest >= 0:
			return nil, fmt.Errorf("new shape %v leaves two dimensions open", target)
		case d == -1:
			rest, out[i] = i, -1
		case d == 0 && !allowZero:
			if x != nil && i >= len(x) {
				return nil, fmt.Errorf("new shape %v copies dimension %d of %s", target, i, x)
			}
			out[i] = -1
			if x != nil {
				out[i] = x[i]
			}
			delete(open, i)
		case d == batch:
			out[i] = -1
			solvable = solvable && open[0]
			delete(open, 0)
		case d == unknown:
			out[i] = -1
			solvable = false
		case d < 0:
			return nil, fmt.Errorf("new shape %v has a negative dimension", target)
		default:
			out[i] = int(d)
		}
	}
	if !solvable || len(open) > 0 {
		return out, nil
	}
	return out, settle(out, x, rest)
}

// settle works out the dimension at rest, if there is one, and checks that the number of elements stays the same.
func settle(out, x tensor.Shape, rest int) error {
	have, made := knownNumel(x), 1
	for i, d := range out {
		if i != rest && d >= 0 {
			made *= d
		}
	}
	switch {
	case rest < 0 && have != made, rest >= 0 && made == 0 && have != 0, rest >= 0 && made != 0 && have%made != 0:
		return fmt.Errorf("%s does not reshape to %s", x, out)
	case rest >= 0 && made != 0:
		out[rest] = have / made
	}
	return nil
}

// knownNumel multiplies the dimensions that are known.
func knownNumel(s tensor.Shape) int {
	n := 1
	for _, d := range s {
		if d >= 0 {
			n *= d
		}
	}
	return n
}

// squeeze drops axes of one element; without axes, all of them.
func squeeze(c *call) error {
	x := c.input(0)
	list, given, known := c.listArg("axes", 1)
	if !x.ranked() || !known {
		return nil
	}
	if !given {
		for i, d := range x.shape {
			if d < 0 {
				return nil // it may be 1 or not
			}
			if d == 1 {
				list = append(list, int64(i))
			}
		}
	}
	marked, err := axes(list, len(x.shape))
	if err != nil {
		return err
	}
	for i, m := range marked {
		if m && x.shape[i] > 1 {
			return fmt.Errorf("axis %d of %s has more than one element", i, x.shape)
		}
	}
	c.set(0, x.dtype, reduced(x.shape, marked, false))
	c.setInts(x.ints)
	return nil
}

// unsqueeze inserts axes of one element; axes count in the result.
func unsqueeze(c *call) error {
	x := c.input(0)
	list, _, known := c.listArg("axes", 1)
	if !x.ranked() || !known {
		return nil
	}
	marked, err := axes(list, len(x.shape)+len(list))
	if err != nil {
		return err
	}
	out, next := tensor.Shape{}, 0
	for _, m := range marked {
		if m {
			out = append(out, 1)
			continue
		}
		out = append(out, x.shape[next])
		next++
	}
	c.set(0, x.dtype, out)
	c.setInts(x.ints)
	return nil
}
