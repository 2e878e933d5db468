package ops

import "github.com/mpqc/mpqc/internal/engine"

// buildReciprocal makes Reciprocal: y = 1/x; dx = -dy*y^2.
func buildReciprocal(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Reciprocal", reads: readsY(),
		value: func(x float64) float64 { return 1 / x },
		slope: func(_, y float64) float64 { return -y * y },
	}, nil
}
