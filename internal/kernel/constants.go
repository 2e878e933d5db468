package kernel

import "math"

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
	// negZero is the neutral element of addition: adding +0 would turn -0 into +0.
	negZero = float32(math.Copysign(0, -1))
)
