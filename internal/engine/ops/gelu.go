package ops

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
)

// buildGelu makes Gelu: y = x*P(x), P the normal distribution, dx = dy*(P(x) + x*p(x)), p its density; or, approximate
// "tanh", y = x/2*(1+tanh(u)) with u = sqrt(2/pi)*(x + 0.044715*x^3).
func buildGelu(a Attributes) (engine.Op, error) {
	o := &curve{kind: "Gelu", reads: readsX()}
	switch mode := a.Str("approximate", "none"); mode {
	case "none":
		normal := func(x float64) float64 { return 0.5 * (1 + math.Erf(x/math.Sqrt2)) }
		o.value = func(x float64) float64 { return x * normal(x) }
		o.slope = func(x, _ float64) float64 { return normal(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi) }
	case "tanh":
		const cubic = 0.044715
		c := math.Sqrt(2 / math.Pi)
		o.value = func(x float64) float64 { return 0.5 * x * (1 + math.Tanh(c*(x+cubic*x*x*x))) }
		o.slope = func(x, _ float64) float64 {
			t := math.Tanh(c * (x + cubic*x*x*x))
			return 0.5*(1+t) + 0.5*x*(1-t*t)*c*(1+3*cubic*x*x)
		}
	default:
		return nil, fmt.Errorf("approximate %q is not supported", mode)
	}
	return o, nil
}
