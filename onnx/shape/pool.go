package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func poolRules() map[string]rule {
	return map[string]rule{
		"MaxPool": pool, "AveragePool": pool, "LpPool": pool,
		"GlobalAveragePool": globalPool, "GlobalMaxPool": globalPool, "GlobalLpPool": globalPool,
	}
}

// pool: X [N C D1...] -> Y [N C O1...]; MaxPool may give the indices as a second output.
func pool(c *call) error {
	x := c.input(0)
	if !x.ranked() {
		c.set(0, x.dtype, nil)
		return nil
	}
	kernel := c.node.Ints("kernel_shape")
	if len(x.shape) < 3 || len(kernel) != len(x.shape)-2 {
		return fmt.Errorf("input %s and kernel %v do not fit", x.shape, kernel)
	}
	win, err := c.window(kernel)
	if err != nil {
		return err
	}
	out := x.shape[:2].Clone()
	for i, d := range x.shape[2:] {
		o, err := win.size(i, d, c.node.Int("ceil_mode", 0) != 0)
		if err != nil {
			return fmt.Errorf("input %s: %w", x.shape, err)
		}
		out = append(out, o)
	}
	c.set(0, x.dtype, out)
	c.set(1, tensor.Int64, out)
	return nil
}

// globalPool: X [N C D1...] -> Y [N C 1...].
func globalPool(c *call) error {
	x := c.input(0)
	if x.ranked() && len(x.shape) < 3 {
		return fmt.Errorf("input %s has no spatial axes", x.shape)
	}
	out := x.shape.Clone()
	for i := 2; i < len(out); i++ {
		out[i] = 1
	}
	c.set(0, x.dtype, out)
	return nil
}
