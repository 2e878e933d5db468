package ops

import "github.com/mpqc/mpqc/internal/engine"

// Div is y = a/b with broadcasting; da = dy/b, db = -dy*a/b^2.
type Div struct{ binary }

// Type is "Div".
func (*Div) Type() string { return "Div" }

func divRow(a []float32, ia int, b []float32, ib int, y []float32) {
	for k := range y {
		y[k] = a[k*ia] / b[k*ib]
	}
}

func divSlopeA(dy, _ []float32, _ int, b []float32, ib int, g []float32) {
	for k, v := range dy {
		g[k] = v / b[k*ib]
	}
}

func divSlopeB(dy, a []float32, ia int, b []float32, ib int, g []float32) {
	for k, v := range dy {
		d := b[k*ib]
		g[k] = -v * a[k*ia] / d / d
	}
}

func buildDiv(Attributes) (engine.Op, error) {
	return &Div{binary{value: divRow, slopes: [2]slopeFunc{divSlopeA, divSlopeB}, retain: []int{0, 1}}}, nil
}
