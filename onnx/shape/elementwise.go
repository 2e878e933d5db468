package shape

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/op"
)

// formRules: what the table of operators says of the form of a result is all there is to know.
func formRules() map[string]rule {
	m := map[string]rule{}
	for _, row := range op.Rows() {
		if r := formRule(row.Form); r != nil && row.Domain == "" {
			m[row.Name] = r
		}
	}
	return m
}

func formRule(f op.Form) rule {
	switch f {
	case op.Like:
		return same
	case op.Broadcast:
		return broadcast(0, nil)
	case op.Truth:
		return broadcast(tensor.Bool, nil)
	case op.Reduced:
		return reduce
	default:
		return nil
	}
}

// elementwiseRules: the output has the shape of the first input.
func elementwiseRules() map[string]rule {
	return map[string]rule{"Cast": cast, "Dropout": dropout, "Identity": identity}
}

func same(c *call) error {
	x := c.input(0)
	c.set(0, x.dtype, x.shape)
	return nil
}

func identity(c *call) error {
	x := c.input(0)
	c.set(0, x.dtype, x.shape)
	c.setInts(x.ints)
	return nil
}

// dropout has a mask of booleans as second output.
func dropout(c *call) error {
	x := c.input(0)
	c.set(0, x.dtype, x.shape)
	c.set(1, tensor.Bool, x.shape)
	return nil
}

// cast keeps integers as they are: those that shapes are made of fit any integer type.
func cast(c *call) error {
	x := c.input(0)
	to := tensor.DType(c.node.Int("to", 0))
	c.set(0, to, x.shape)
	if to == tensor.Int64 || to == tensor.Int32 {
		c.setInts(x.ints)
	}
	return nil
}
