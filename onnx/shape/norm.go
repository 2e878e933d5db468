package shape

import "fmt"

func normRules() map[string]rule { return map[string]rule{"BatchNormalization": batchNorm} }

// batchNorm: X [N C ...] -> Y like X; further outputs of training mode have one element per channel.
func batchNorm(c *call) error {
	x, scale := c.input(0), c.input(1)
	if x.ranked() && scale.ranked() && len(x.shape) > 1 && len(scale.shape) == 1 {
		if n, k := x.shape[1], scale.shape[0]; n >= 0 && k >= 0 && n != k {
			return fmt.Errorf("input %s has %d channels, the scale has %d", x.shape, n, k)
		}
	}
	c.set(0, x.dtype, x.shape)
	for i := 1; i < len(c.out); i++ {
		c.set(i, scale.dtype, scale.shape)
	}
	return nil
}
