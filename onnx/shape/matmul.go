package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

func matmulRules() map[string]rule { return map[string]rule{"Gemm": gemm, "MatMul": matmul} }

// gemm: A [M K] (or its transpose), B [K N] (or its transpose) -> Y [M N]. C, if given, broadcasts to Y.
func gemm(c *call) error {
	a, b := c.input(0), c.input(1)
	if !a.ranked() || !b.ranked() {
		c.set(0, a.dtype, nil)
		return nil
	}
	if len(a.shape) != 2 || len(b.shape) != 2 {
		return fmt.Errorf("inputs %s and %s are not matrices", a.shape, b.shape)
	}
	m, k := a.shape[0], a.shape[1]
	if c.node.Int("transA", 0) != 0 {
		m, k = k, m
	}
	l, n := b.shape[0], b.shape[1]
	if c.node.Int("transB", 0) != 0 {
		l, n = n, l
	}
	if k >= 0 && l >= 0 && k != l {
		return fmt.Errorf("inputs %s and %s do not multiply: %d against %d", a.shape, b.shape, k, l)
	}
	out := tensor.Shape{m, n}
	if bias := c.input(2).shape; bias != nil && n >= 0 {
		full, err := Broadcast(out, bias)
		if err != nil {
			return err
		}
		if len(full) != 2 || full[1] != n {
			return fmt.Errorf("bias %s does not broadcast to %s", bias, out)
		}
	}
	c.set(0, a.dtype, out)
	return nil
}

// matmul: A [... M K], B [... K N] -> Y [... M N], leading axes broadcast; a vector loses its axis in the result.
func matmul(c *call) error {
	a, b := c.input(0), c.input(1)
	if !a.ranked() || !b.ranked() {
		c.set(0, a.dtype, nil)
		return nil
	}
	if len(a.shape) == 0 || len(b.shape) == 0 {
		return fmt.Errorf("inputs %s and %s: scalars do not multiply", a.shape, b.shape)
	}
	left, right := a.shape, b.shape
	if len(left) == 1 {
		left = tensor.Shape{1, left[0]}
	}
	if len(right) == 1 {
		right = tensor.Shape{right[0], 1}
	}
	la, lb := len(left), len(right)
	if k, l := left[la-1], right[lb-2]; k >= 0 && l >= 0 && k != l {
		return fmt.Errorf("inputs %s and %s do not multiply: %d against %d", a.shape, b.shape, k, l)
	}
	out, err := Broadcast(left[:la-2], right[:lb-2])
	if err != nil {
		return err
	}
	out = out.Clone()
	if len(a.shape) > 1 {
		out = append(out, left[la-2])
	}
	if len(b.shape) > 1 {
		out = append(out, right[lb-1])
	}
	c.set(0, a.dtype, out)
	return nil
}
