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

// planeGroup is the planes [lo, hi) of task i, and the elements of one.
func planeGroup(t *engine.Task, i int) (lo, hi, hw int) {
	s := t.In[0].Shape
	hw = s[2:].Numel()
	group := max(1, engine.Block/hw)
	return i * group, min((i+1)*group, s[0]*s[1]), hw
}

// planeGroups is the number of tasks.
func planeGroups(s tensor.Shape) int {
	group := max(1, engine.Block/s[2:].Numel())
	return (s[0]*s[1] + group - 1) / group
}

// Forward computes y.
func (*GlobalAveragePool) Forward(t *engine.Task) {
	t.Parallel(planeGroups(t.In[0].Shape), func(t *engine.Task, i int) {
		lo, hi, hw := planeGroup(t, i)
		kernel.GlobalAvgPoolForward(t.In[0].Data[lo*hw:hi*hw], hi-lo, hw, t.Out[0].Data[lo:hi])
	})
}

// Retain keeps nothing.
func (*GlobalAveragePool) Retain() engine.Retain { return engine.Retain{} }

// Backward computes dx.
func (*GlobalAveragePool) Backward(t *engine.Task) {
	if t.GradIn[0].Data == nil {
		return
	}
	t.Parallel(planeGroups(t.In[0].Shape), func(t *engine.Task, i int) {
		lo, hi, hw := planeGroup(t, i)
		kernel.GlobalAvgPoolBackward(t.GradOut[0].Data[lo:hi], hi-lo, hw, t.GradIn[0].Data[lo*hw:hi*hw])
	})
}

func buildGlobalAveragePool(Attributes) (engine.Op, error) { return &GlobalAveragePool{}, nil }
