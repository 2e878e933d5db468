package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildLog makes Log: y = ln x; dx = dy/x.
func buildLog(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Log", reads: readsX(),
		value: math.Log,
		slope: func(x, _ float64) float64 { return 1 / x },
	}, nil
}
