package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildElu makes Elu: y = x where x >= 0, else alpha*(e^x-1); dx = dy, or dy*alpha*e^x.
func buildElu(a Attributes) (engine.Op, error) {
	alpha := float64(a.Float("alpha", 1))
	return &curve{
		kind: "Elu", reads: readsX(),
		value: func(x float64) float64 {
			if x >= 0 {
				return x
			}
			return alpha * math.Expm1(x)
		},
		slope: func(x, _ float64) float64 {
			if x >= 0 {
				return 1
			}
			return alpha * math.Exp(x)
		},
	}, nil
}
