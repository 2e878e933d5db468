package ops

import "github.com/mpqc/mpqc/internal/engine"

// Sub is y = a - b with broadcasting; da = dy, db = -dy.
type Sub struct{ binary }

// Type is "Sub".
func (*Sub) Type() string { return "Sub" }

func subRow(a []float32, ia int, b []float32, ib int, y []float32) {
	for k := range y {
		y[k] = a[k*ia] - b[k*ib]
	}
}

func negSlope(dy, _ []float32, _ int, _ []float32, _ int, g []float32) {
	for k, v := range dy {
		g[k] = -v
	}
}

func buildSub(Attributes) (engine.Op, error) {
	return &Sub{binary{value: subRow, slopes: [2]slopeFunc{passSlope, negSlope}}}, nil
}
