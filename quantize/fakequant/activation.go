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

	lo, hi  float32   // codes at present
	partial []float64 // of ds, per piece
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

// Head is false.
func (*ActivationQuant) Head() bool { return false }

// Started reports whether the step is set.
func (o *ActivationQuant) Started() bool { return o.passes() || o.Steps.Param().Data[0] != 0 }

// passes reports whether y = x at present.
func (o *ActivationQuant) passes() bool { return o.Off || o.Steps.Bits() == o.Through }

// Prepare takes over the width in use.
func (o *ActivationQuant) Prepare(_ *engine.Task, g engine.Grid, _ bool) {
	o.partial = sized(o.partial, g.Pieces())
	o.lo, o.hi = o.Steps.levels()
}

// sized is s with n elements, whatever they are.
func sized(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	return s[:n]
}

// Watch adds up the magnitudes of a piece of x.
func (o *ActivationQuant) Watch(_ *engine.Task, p *engine.Piece) {
	var sum float64
	for _, v := range p.X {
		sum += math.Abs(float64(v))
	}
	o.partial[p.Index] = sum
}

// Start sets the step.
func (o *ActivationQuant) Start(_ *engine.Task, g engine.Grid) {
	var sum float64
	for _, v := range o.partial {
		sum += v
	}
	o.Steps.Param().Data[0] = firstStep(sum/float64(max(g.Len(), 1)), o.hi)
}

// firstStep is 2*mean|x|/sqrt(p), or 1 where x is all zero, which any step represents.
func firstStep(mean float64, p float32) float32 {
	s := float32(2 * mean / math.Sqrt(float64(p)))
	if !(s > 0) || math.IsInf(float64(s), 0) {
		return 1
	}
	return s
}

// Map computes a piece of y.
func (o *ActivationQuant) Map(_ *engine.Task, p *engine.Piece) {
	if o.passes() {
		p.Pass()
		return
	}
	s := o.Steps.Param().Data[0]
	kernel.FakeQuant(p.X, s, o.lo, o.top(s, o.hi), p.Y)
}

// Forward computes y.
func (o *ActivationQuant) Forward(t *engine.Task) { engine.ForwardAlone(t, o) }

// top is the highest code that may come out.
func (o *ActivationQuant) top(s, p float32) float32 {
	if o.ClipMax > 0 {
		return float32(math.Min(float64(p), math.RoundToEven(float64(o.ClipMax/s))))
	}
	return p
}

// Retain keeps x.
func (*ActivationQuant) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dx, in the memory of dy where nobody wants it, and adds ds.
func (o *ActivationQuant) Backward(t *engine.Task) { engine.BackwardAlone(t, o) }

// Slope computes a piece of dx and its share of ds.
func (o *ActivationQuant) Slope(_ *engine.Task, p *engine.Piece) {
	if o.passes() {
		p.PassBack()
		return
	}
	o.partial[p.Index] = kernel.FakeQuantGrad(p.X, p.DY, o.Steps.Param().Data[0], o.lo, o.hi, p.DX)
}

// Conclude adds ds.
func (o *ActivationQuant) Conclude(_ *engine.Task, g engine.Grid, backward bool) {
	if !backward || o.passes() {
		return
	}
	var ds float64
	for _, v := range o.partial {
		ds += v
	}
	param := o.Steps.Param()
	param.Grad[0] += float32(ds * gradScale(o.GradScale, g.Len(), o.hi))
	param.Used = true
}
