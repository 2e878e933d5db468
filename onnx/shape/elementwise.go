package shape

import "github.com/mpqc/mpqc/internal/tensor"

// elementwiseRules: the output is like the first input.
func elementwiseRules() map[string]rule {
	m := map[string]rule{"Cast": cast, "Dropout": dropout, "Identity": identity}
	for _, op := range []string{
		"Abs", "Ceil", "Celu", "Clip", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log",
		"LogSoftmax", "Mish", "Neg", "PRelu", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softmax", "Softplus",
		"Softsign", "Sqrt", "Tanh", "ThresholdedRelu", "Not",
	} {
		m[op] = same
	}
	return m
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
