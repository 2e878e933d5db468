package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// BiasQuant is the int32 bias of a layer without BatchNorm, as the exported file holds it:
//
//	y[k] = s[k]*rint(b[k]/s[k])
//
// s[k] is the step size of the layer's input times the weight step size of output channel k. Gradients pass unchanged.
type BiasQuant struct {
	scales scales
	// Round enables the rounding.
	Round bool
}

// scales provides the step sizes that a layer computes with at present.
type scales struct {
	input  func() float32 // step size of the codes that it reads
	weight *Steps
}

// Type is "BiasQuant".
func (*BiasQuant) Type() string { return "BiasQuant" }

// Infer returns the shape of the input, [channels].
func (o *BiasQuant) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if len(in) != 1 || in[0] == nil || in[0].Numel() != len(o.scales.weight.Param().Data) {
		return nil, fmt.Errorf("the bias is not one number for each of %d channels", len(o.scales.weight.Param().Data))
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// Forward computes y.
func (o *BiasQuant) Forward(t *engine.Task) {
	b, y := t.In[0].Data, t.Out[0].Data
	if !o.Round {
		copy(y, b)
		return
	}
	sx, sw := o.scales.input(), o.scales.weight.Param().Data
	for k, v := range b {
		y[k], _ = roundBias(float64(v), sx, sw[k])
	}
}

// maxBias bounds the magnitude of an int32 bias, so that half of the range is left to the sum of products.
const maxBias = 1 << 30

// roundBias rounds a constant to a multiple of the accumulator's step sx*scale. If the multiple exceeds maxBias, the
// channel is dead. Export then writes zero weights and scale 1, so the constant becomes a multiple of sx.
func roundBias(c float64, sx, scale float32) (rounded float32, dead bool) {
	s := float64(sx) * float64(scale)
	r := math.RoundToEven(c / s)
	if !(s >= 0x1p-126) || !(math.Abs(r) <= maxBias) {
		s, dead = float64(sx), true
		r = math.RoundToEven(c / s)
	}
	return float32(r * s), dead
}

// Retain keeps nothing.
func (*BiasQuant) Retain() engine.Retain { return engine.Retain{} }

// Backward copies dy to dx.
func (*BiasQuant) Backward(t *engine.Task) {
	copy(t.GradIn[0].Data, t.GradOut[0].Data)
}
