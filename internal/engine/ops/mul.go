package ops

import "github.com/mpqc/mpqc/internal/engine"

// Mul is y = a*b with broadcasting; da = dy*b, db = dy*a.
type Mul struct{ binary }

// Type is "Mul".
func (*Mul) Type() string { return "Mul" }

func mulRow(a []float32, ia int, b []float32, ib int, y []float32) {
	for k := range y {
		y[k] = a[k*ia] * b[k*ib]
	}
}

func mulSlopeA(dy, _ []float32, _ int, b []float32, ib int, g []float32) {
	for k, v := range dy {
		g[k] = v * b[k*ib]
	}
}

func mulSlopeB(dy, a []float32, ia int, _ []float32, _ int, g []float32) {
	for k, v := range dy {
		g[k] = v * a[k*ia]
	}
}

func buildMul(Attributes) (engine.Op, error) {
	return &Mul{binary{value: mulRow, slopes: [2]slopeFunc{mulSlopeA, mulSlopeB}, retain: []int{0, 1}}}, nil
}
