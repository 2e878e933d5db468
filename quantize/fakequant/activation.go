package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// ActivationQuant is y = s*clip(rint(x/s), n, p) with one step s for the whole tensor:
//
//	dx = dy where n <= x/s <= p, else 0
//	ds = sum of dy * (rint(x/s) - x/s within, n below, p above)
//
// A step that is not set yet gets 2*mean|x|/sqrt(p) of the first batch that it sees.
type ActivationQuant struct {
	Steps *Steps
	// Through is a bit-width at which y = x: x has that width already.
	Through int
	// ClipMax bounds y where what x was computed from had that upper bound, 0 for none. Requantizing a code just above
	// the bound must not reach a code that quantizing the bound itself would not.
	ClipMax float32
	// Off passes values and gradients unchanged at any width.
	Off bool
	// GradScale multiplies ds by 1/sqrt(elements*p), as LSQ proposes.
	GradScale bool

	partial []float64 // ds per block
}

// Type is "ActivationQuant".
func (*ActivationQuant) Type() string { return "ActivationQuant" }

// Params are the step sizes of all widths.
func (o *ActivationQuant) Params() []*engine.Param { return o.Steps.Params() }

// Infer gives the output the shape of the input.
func (o *ActivationQuant) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if len(in) != 1 || in[0] == nil {
		return nil, fmt.Errorf("%d inputs, 1 wanted", len(in))
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// Forward computes y.
func (o *ActivationQuant) Forward(t *engine.Task) {
	if o.Off || o.Steps.Bits() == o.Through {
		t.Parallel(engine.Blocks(len(t.Out[0].Data)), func(t *engine.Task, i int) {
			lo, hi := engine.Span(i, len(t.Out[0].Data))
			copy(t.Out[0].Data[lo:hi], t.In[0].Data[lo:hi])
		})
		return
	}
	if s := o.Steps.Param().Data; s[0] == 0 {
		_, p := o.Steps.levels()
		s[0] = firstStep(t.In[0].Data, p)
	}
	t.Parallel(engine.Blocks(len(t.Out[0].Data)), func(t *engine.Task, i int) {
		o := t.Node.Op.(*ActivationQuant)
		lo, hi := engine.Span(i, len(t.Out[0].Data))
		n, p := o.Steps.levels()
		s := o.Steps.Param().Data[0]
		kernel.FakeQuant(t.In[0].Data[lo:hi], s, n, o.top(s, p), t.Out[0].Data[lo:hi])
	})
}

// top is the highest code that may come out.
func (o *ActivationQuant) top(s, p float32) float32 {
	if o.ClipMax > 0 {
		return float32(math.Min(float64(p), math.RoundToEven(float64(o.ClipMax/s))))
	}
	return p
}

// firstStep is 2*mean|x|/sqrt(p), or 1 where x is all zero, which any step represents.
func firstStep(x []float32, p float32) float32 {
	var sum float64
	for _, v := range x {
		sum += math.Abs(float64(v))
	}
	s := float32(2 * sum / float64(max(len(x), 1)) / math.Sqrt(float64(p)))
	if !(s > 0) || math.IsInf(float64(s), 0) {
		return 1
	}
	return s
}

// Retain keeps x.
func (*ActivationQuant) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dx, in the memory of dy where nobody wants it, and adds ds.
func (o *ActivationQuant) Backward(t *engine.Task) {
	blocks := engine.Blocks(len(t.GradOut[0].Data))
	if o.Off || o.Steps.Bits() == o.Through {
		if t.GradIn[0].Data != nil {
			t.Parallel(blocks, func(t *engine.Task, i int) {
				lo, hi := engine.Span(i, len(t.GradOut[0].Data))
				copy(t.GradIn[0].Data[lo:hi], t.GradOut[0].Data[lo:hi])
			})
		}
		return
	}
	if cap(o.partial) < blocks {
		o.partial = make([]float64, blocks)
	}
	o.partial = o.partial[:blocks]
	t.Parallel(blocks, func(t *engine.Task, i int) {
		o := t.Node.Op.(*ActivationQuant)
		lo, hi := engine.Span(i, len(t.GradOut[0].Data))
		x, dy := t.In[0].Data[lo:hi], t.GradOut[0].Data[lo:hi]
		dx := dy
		if t.GradIn[0].Data != nil {
			dx = t.GradIn[0].Data[lo:hi]
		}
		n, p := o.Steps.levels()
		o.partial[i] = kernel.FakeQuantGrad(x, dy, o.Steps.Param().Data[0], n, p, dx)
	})
	var ds float64
	for _, v := range o.partial {
		ds += v
	}
	_, p := o.Steps.levels()
	param := o.Steps.Param()
	param.Grad[0] += float32(ds * gradScale(o.GradScale, len(t.GradOut[0].Data), p))
	param.Used = true
}
