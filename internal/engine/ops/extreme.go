package ops

import "github.com/mpqc/mpqc/internal/engine"

// Extreme is Max or Min of two operands with broadcasting: y is a where a wins, else b, and so is where dy goes.
type Extreme struct {
	binary
	kind string
}

// Type is "Max" or "Min".
func (o *Extreme) Type() string { return o.kind }

// newExtreme makes Max (sign 1) or Min (sign -1). Ties go to a; NaN wins.
func newExtreme(kind string, sign float32) *Extreme {
	first := func(a, b float32) bool { return sign*a >= sign*b || a != a }
	value := func(a []float32, ia int, b []float32, ib int, y []float32) {
		for k := range y {
			y[k] = b[k*ib]
			if first(a[k*ia], b[k*ib]) {
				y[k] = a[k*ia]
			}
		}
	}
	slope := func(wantFirst bool) slopeFunc {
		return func(dy, a []float32, ia int, b []float32, ib int, g []float32) {
			for k, v := range dy {
				g[k] = 0
				if first(a[k*ia], b[k*ib]) == wantFirst {
					g[k] = v
				}
			}
		}
	}
	return &Extreme{binary{value: value, slopes: [2]slopeFunc{slope(true), slope(false)}, retain: []int{0, 1}}, kind}
}

func buildMax(Attributes) (engine.Op, error) { return newExtreme("Max", 1), nil }

func buildMin(Attributes) (engine.Op, error) { return newExtreme("Min", -1), nil }
