package ops

import "github.com/mpqc/mpqc/internal/engine"

// buildNeg makes Neg: y = -x; dx = -dy.
func buildNeg(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Neg", reads: readsX(),
		value: func(x float64) float64 { return -x },
		slope: func(_, _ float64) float64 { return -1 },
	}, nil
}
