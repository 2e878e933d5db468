package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildSqrt makes Sqrt: y = x^(1/2); dx = dy/(2*y).
func buildSqrt(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Sqrt", reads: readsY(),
		value: math.Sqrt,
		slope: func(_, y float64) float64 { return 0.5 / y },
	}, nil
}
