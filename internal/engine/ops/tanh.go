package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildTanh makes Tanh: y = tanh(x); dx = dy*(1-y^2).
func buildTanh(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Tanh", reads: readsY(),
		value: math.Tanh,
		slope: func(_, y float64) float64 { return 1 - y*y },
	}, nil
}
