package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// frozenNorm is a BatchNormalization that belongs to no quantized layer. It computes y = scale[c]*x + shift[c] for x
// [N, C, ...], and has no parameters, since the exported file keeps it as it was.
type frozenNorm struct{ scale, shift []float32 }

// freeze converts a BatchNorm to its scale and shift, by its running statistics.
func freeze(n *ops.Norm) *frozenNorm {
	f := &frozenNorm{make([]float32, len(n.Mean)), make([]float32, len(n.Mean))}
	for k := range n.Mean {
		f.scale[k] = float32(float64(n.Gamma.Data[k]) / math.Sqrt(float64(n.Var[k])+float64(n.EPS)))
		f.shift[k] = n.Beta.Data[k] - float32(n.Mean[k]*f.scale[k])
	}
	return f
}

// Type is "FrozenNorm".
func (*frozenNorm) Type() string { return "FrozenNorm" }

// Infer returns the shape of the input.
func (o *frozenNorm) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if len(in) != 1 || len(in[0]) < 2 || in[0][1] != len(o.scale) {
		return nil, fmt.Errorf("%d channels do not fit the input", len(o.scale))
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// planes returns N, C, and the number of elements per channel of [N, C, ...].
func planes(s tensor.Shape) (n, c, hw int) { return s[0], s[1], s[2:].Numel() }

// Forward computes y.
func (o *frozenNorm) Forward(t *engine.Task) {
	n, c, hw := planes(t.In[0].Shape)
	kernel.NormApply(t.Pool, t.In[0].Data, n, c, hw, o.scale, o.shift, t.Out[0].Data)
}

// Retain keeps nothing.
func (*frozenNorm) Retain() engine.Retain { return engine.Retain{} }

// Backward computes dx = scale[c]*dy.
func (o *frozenNorm) Backward(t *engine.Task) {
	n, c, hw := planes(t.In[0].Shape)
	kernel.NormApply(t.Pool, t.GradOut[0].Data, n, c, hw, o.scale, make([]float32, c), t.GradIn[0].Data)
}
