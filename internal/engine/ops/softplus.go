package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildSoftplus makes Softplus: y = ln(1+e^x); dx = dy/(1+e^-x).
func buildSoftplus(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Softplus", reads: readsX(),
		value: softplus,
		slope: func(x, _ float64) float64 { return 1 / (1 + math.Exp(-x)) },
	}, nil
}

// softplus does not overflow for large x.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
