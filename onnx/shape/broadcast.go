package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

// broadcastRules: operators with multidirectional (numpy) broadcasting that shape arithmetic goes through.
func broadcastRules() map[string]rule {
	return map[string]rule{
		"Where": where,
		"Add":   broadcast(0, func(a, b int64) int64 { return a + b }),
		"Sub":   broadcast(0, func(a, b int64) int64 { return a - b }),
		"Mul":   broadcast(0, func(a, b int64) int64 { return a * b }),
		"Div": broadcast(0, func(a, b int64) int64 {
			if b == 0 {
				return unknown
			}
			return a / b // truncates towards zero, as ONNX does
		}),
	}
}

// broadcast makes the rule of an operator whose result has element type dtype, that of the first input if 0. With fold
// given, integers are followed through it.
func broadcast(dtype tensor.DType, fold func(a, b int64) int64) rule {
	return func(c *call) error {
		if len(c.in) == 0 {
			return fmt.Errorf("it has no inputs")
		}
		out := dtype
		if out == tensor.Undefined {
			out = c.in[0].dtype
		}
		shape := c.in[0].shape
		for _, x := range c.in[1:] {
			var err error
			if shape, err = Broadcast(shape, x.shape); err != nil {
				return err
			}
		}
		c.set(0, out, shape)
		if fold != nil && len(c.in) == 2 {
			c.setInts(foldInts(c.in[0], c.in[1], shape, fold))
		}
		return nil
	}
}

// foldInts applies fold elementwise to equal shapes or a single element with any shape.
func foldInts(a, b fact, shape tensor.Shape, fold func(a, b int64) int64) []int64 {
	n := shape.Numel()
	if a.ints == nil || b.ints == nil || n < 0 || n > maxInts {
		return nil
	}
	if len(a.ints) != 1 && len(a.ints) != n || len(b.ints) != 1 && len(b.ints) != n {
		return nil
	}
	out := make([]int64, n)
	for i := range out {
		x, y := a.ints[i%len(a.ints)], b.ints[i%len(b.ints)]
		out[i] = unknown
		if isKnown(x) && isKnown(y) {
			out[i] = fold(x, y)
		}
	}
	return out
}

// where is the broadcast of all three inputs; the condition does not count for the type.
func where(c *call) error {
	ab, err := Broadcast(c.input(1).shape, c.input(2).shape)
	if err != nil {
		return err
	}
	shape, err := Broadcast(c.input(0).shape, ab)
	if err != nil {
		return err
	}
	c.set(0, c.input(1).dtype, shape)
	return nil
}

// Broadcast is the shape that two shapes broadcast to (ONNX, docs/Broadcasting.md). A nil shape is unknown and makes
// the result unknown; an unknown dimension against one larger than 1 is taken to be equal to it.
func Broadcast(a, b tensor.Shape) (tensor.Shape, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	out := a.Clone()
	lead := len(a) - len(b)
	for i, d := range b {
		switch e := a[lead+i]; {
		case e == d || d == 1:
		case e == 1:
			out[lead+i] = d
		case e < 0:
			out[lead+i] = d
		case d < 0:
		default:
			return nil, fmt.Errorf("shapes %s and %s do not broadcast: %d against %d", a, b, e, d)
		}
	}
	return out, nil
}
