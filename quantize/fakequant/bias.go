package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// BiasQuant is the bias of a layer without BatchNorm as the exported file holds it: y = s*rint(b/s) with s the product
// of the step of the activations and the weight step of the channel. Gradients pass unchanged.
type BiasQuant struct {
	scales scales
	// Round turns the rounding on.
	Round bool
}

// scales gives the steps that a layer computes with at present.
type scales struct {
	input  func() float32 // step of the codes that it reads
	weight *Steps
}

// Type is "BiasQuant".
func (*BiasQuant) Type() string { return "BiasQuant" }

// Infer gives the output the shape of the input.
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

// maxBias bounds the magnitude of an int32 bias, so that it leaves half of int32 to the sum.
const maxBias = 1 << 30

// roundBias rounds a constant to a multiple of the step of the accumulator, sx*scale. Where that takes more than
// maxBias, the channel is dead: export gives it zero weights and scale 1, so the constant is a multiple of sx alone.
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

// Backward passes the gradient.
func (*BiasQuant) Backward(t *engine.Task) {
	copy(t.GradIn[0].Data, t.GradOut[0].Data)
}
