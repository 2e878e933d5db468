package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// MaxPool is the maximum over windows of the planes of x [N C H W]; dy goes to the place of the maximum, the first
// of equal ones.
type MaxPool struct {
	window
	poolings
}

// Type is "MaxPool".
func (*MaxPool) Type() string { return "MaxPool" }

// Infer gives [N C OH OW].
func (o *MaxPool) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	return o.pool(in)
}

// pool infers the shape of a pooling.
func (w *window) pool(in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	s, err := w.poolShape(in[0])
	if err != nil {
		return nil, err
	}
	return []tensor.Shape{{s.N, s.C, s.OH, s.OW}}, nil
}

// poolShape resolves the geometry of a pooling.
func (w *window) poolShape(x tensor.Shape) (kernel.PoolShape, error) {
	if len(w.Kernel) != 2 {
		return kernel.PoolShape{}, fmt.Errorf("kernel_shape is missing")
	}
	g, err := w.resolve(x, w.Kernel[0], w.Kernel[1])
	if err != nil {
		return kernel.PoolShape{}, err
	}
	return kernel.PoolShape{
		N: x[0], C: x[1], H: x[2], W: x[3], R: g.r, S: g.s, StrideH: g.sh, StrideW: g.sw,
		PadT: g.pt, PadL: g.pl, PadB: g.pb, PadR: g.pr, DilH: g.dh, DilW: g.dw, OH: g.oh, OW: g.ow,
	}, nil
}

// poolings keeps prepared poolings by shape.
type poolings map[kernel.PoolShape]*kernel.Pooling

// of returns the prepared pooling of a shape.
func (p *poolings) of(s kernel.PoolShape) *kernel.Pooling {
	if *p == nil {
		*p = poolings{}
	}
	if (*p)[s] == nil {
		(*p)[s] = kernel.NewPooling(s)
	}
	return (*p)[s]
}

// SavedBytes holds the place of every maximum.
func (*MaxPool) SavedBytes(_, out []tensor.Shape) int { return 4 * out[0].Numel() }

// Forward computes y.
func (o *MaxPool) Forward(t *engine.Task) {
	s, _ := o.poolShape(t.In[0].Shape)
	o.of(s).MaxForward(t.Pool, t.In[0].Data, t.Out[0].Data, t.SavedInts())
}

// Retain keeps nothing besides the places.
func (*MaxPool) Retain() engine.Retain { return engine.Retain{} }

// Backward computes dx.
func (o *MaxPool) Backward(t *engine.Task) {
	if t.GradIn[0].Data != nil {
		s, _ := o.poolShape(t.In[0].Shape)
		o.of(s).MaxBackward(t.Pool, t.GradOut[0].Data, t.SavedInts(), t.GradIn[0].Data)
	}
}

func buildMaxPool(a Attributes) (engine.Op, error) {
	w, err := buildWindow(a)
	return &MaxPool{window: w}, err
}
