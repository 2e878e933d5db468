package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildExp makes Exp: y = e^x; dx = dy*y.
func buildExp(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Exp", reads: readsY(),
		value: math.Exp,
		slope: func(_, y float64) float64 { return y },
	}, nil
}
