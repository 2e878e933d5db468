package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// AveragePool is the mean over windows of the planes of x [N C H W]; the padding counts as zeros if CountPad is set
// and not at all otherwise.
type AveragePool struct {
	window
	poolings
	CountPad bool
}

// Type is "AveragePool".
func (*AveragePool) Type() string { return "AveragePool" }

// Infer gives [N C OH OW].
func (o *AveragePool) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	return o.pool(in)
}

func (o *AveragePool) shape(x tensor.Shape) kernel.PoolShape {
	s, _ := o.poolShape(x)
	s.CountPad = o.CountPad
	return s
}

// Forward computes y.
func (o *AveragePool) Forward(t *engine.Task) {
	o.of(o.shape(t.In[0].Shape)).AvgForward(t.Pool, t.In[0].Data, t.Out[0].Data)
}

// Retain keeps nothing.
func (*AveragePool) Retain() engine.Retain { return engine.Retain{} }

// Backward computes dx.
func (o *AveragePool) Backward(t *engine.Task) {
	if t.GradIn[0].Data != nil {
		o.of(o.shape(t.In[0].Shape)).AvgBackward(t.Pool, t.GradOut[0].Data, t.GradIn[0].Data)
	}
}

func buildAveragePool(a Attributes) (engine.Op, error) {
	w, err := buildWindow(a)
	return &AveragePool{window: w, CountPad: a.Int("count_include_pad", 0) != 0}, err
}
