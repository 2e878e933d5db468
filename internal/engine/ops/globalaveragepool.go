package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// GlobalAveragePool is the mean over all dimensions of x after N and C, which become 1.
type GlobalAveragePool struct{}

// Type is "GlobalAveragePool".
func (*GlobalAveragePool) Type() string { return "GlobalAveragePool" }

// Infer gives [N C 1 ...].
func (*GlobalAveragePool) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if len(in[0]) < 3 || in[0][2:].Numel() == 0 {
		return nil, fmt.Errorf("input %s has no planes", in[0])
	}
	out := in[0].Clone()
	for i := range out[2:] {
		out[i+2] = 1
	}
	return []tensor.Shape{out}, nil
}

// Forward computes y.
func (*GlobalAveragePool) Forward(t *engine.Task) {
	s := t.In[0].Shape
	kernel.GlobalAvgPoolForward(t.Pool, t.In[0].Data, s[0]*s[1], s[2:].Numel(), t.Out[0].Data)
}

// Retain keeps nothing.
func (*GlobalAveragePool) Retain() engine.Retain { return engine.Retain{} }

// Backward computes dx.
func (*GlobalAveragePool) Backward(t *engine.Task) {
	if dx := t.GradIn[0].Data; dx != nil {
		s := t.In[0].Shape
		kernel.GlobalAvgPoolBackward(t.Pool, t.GradOut[0].Data, s[0]*s[1], s[2:].Numel(), dx)
	}
}

func buildGlobalAveragePool(Attributes) (engine.Op, error) { return &GlobalAveragePool{}, nil }
