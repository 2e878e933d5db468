package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildAbs makes Abs: y = |x|; dx = dy*sign(x).
func buildAbs(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Abs", reads: readsX(),
		value: math.Abs,
		slope: func(x, _ float64) float64 { return sign(x) },
	}, nil
}

// sign is -1, 0 or 1.
func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}
