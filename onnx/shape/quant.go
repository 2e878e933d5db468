package shape

import "github.com/mpqc/mpqc/internal/tensor"

func quantRules() map[string]rule {
	return map[string]rule{"QuantizeLinear": quantizeLinear, "DequantizeLinear": dequantizeLinear}
}

// quantizeLinear gives the type of the zero point, else that of attribute output_dtype, else uint8.
func quantizeLinear(c *call) error {
	dtype := c.input(2).dtype
	if dtype == tensor.Undefined {
		dtype = tensor.DType(c.node.Int("output_dtype", int64(tensor.Uint8)))
	}
	if dtype == tensor.Undefined {
		dtype = tensor.Uint8
	}
	c.set(0, dtype, c.input(0).shape)
	return nil
}

// dequantizeLinear gives the type of the scale.
func dequantizeLinear(c *call) error {
	dtype := c.input(1).dtype
	if dtype == tensor.Undefined {
		dtype = tensor.Float32
	}
	c.set(0, dtype, c.input(0).shape)
	return nil
}
