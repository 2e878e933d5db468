package ops

import (
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildMish makes Mish: y = x*tanh(ln(1+e^x)); dx = dy*(t + x*(1-t^2)/(1+e^-x)) with t the tanh.
func buildMish(Attributes) (engine.Op, error) {
	return &curve{
		kind: "Mish", reads: readsX(),
		value: func(x float64) float64 { return x * math.Tanh(softplus(x)) },
		slope: func(x, _ float64) float64 { return mishSlope(x) },
	}, nil
}

func mishSlope(x float64) float64 {
	t := math.Tanh(softplus(x))
	return t + x*(1-t*t)/(1+math.Exp(-x))
}
