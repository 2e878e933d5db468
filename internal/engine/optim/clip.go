package optim

import "github.com/mpqc/mpqc/internal/engine"

// ClipElements limits every gradient element of the used parameters to [-limit, limit]. NaN stays NaN.
func ClipElements(params []*engine.Param, limit float32) {
	for _, p := range params {
		if !p.Used {
			continue
		}
		for j, g := range p.Grad {
			if g > limit {
				p.Grad[j] = limit
			} else if g < -limit {
				p.Grad[j] = -limit
			}
		}
	}
}
