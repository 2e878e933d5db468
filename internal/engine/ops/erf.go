package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildErf makes Erf: y = erf(x); dx = dy*2/sqrt(pi)*exp(-x^2).
func buildErf(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Erf", reads: readsX(),
		value: math.Erf,
		slope: func(x, _ float64) float64 { return 2 / math.Sqrt(math.Pi) * math.Exp(-x*x) },
	}, nil
}
