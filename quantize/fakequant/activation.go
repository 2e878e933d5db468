package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// ActivationQuant is the LSQ quantizer of an activation (Esser et al., ICLR 2020, arXiv 1902.08153, section 2), with
// one step size s for the whole tensor x of any shape:
//
//	y  = s*clip(rint(x/s), n, p)
//	dx = dy where n <= x/s <= p, else 0
//	ds = sum of dy * (rint(x/s) - x/s within, n below, p above)
//
// rint rounds halves to even. A step size that is not set yet becomes 2*mean|x|/sqrt(p) of the first batch.
type ActivationQuant struct {
	Steps *Steps
	// Through is a bit-width at which y = x, because x has that width already. 0 means none.
	Through int
	// ClipMax is an upper bound that x had before it was quantized the first time; 0 means none. A requantized code
	// just above the bound must not exceed the code of the bound itself.
	ClipMax float32
	// Off passes values and gradients unchanged at any width.
	Off bool
	// GradScale multiplies ds by 1/sqrt(elements*p), as LSQ proposes (section 2.2).
	GradScale bool

	lo, hi  float32   // lowest and highest code at the width in use
	partial []float64 // ds, or sum of |x|, per piece
}

// Type is "ActivationQuant".
func (*ActivationQuant) Type() string { return "ActivationQuant" }

// Params lists the step sizes of all widths.
func (o *ActivationQuant) Params() []*engine.Param { return o.Steps.Params() }

// Infer returns the shape of the input.
func (o *ActivationQuant) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if len(in) != 1 || in[0] == nil {
		return nil, fmt.Errorf("%d inputs, 1 wanted", len(in))
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// Head is false: y needs no statistics of x.
func (*ActivationQuant) Head() bool { return false }

// Started reports whether the step size in use is set, or is not needed.
func (o *ActivationQuant) Started() bool { return o.passes() || o.Steps.Param().Data[0] != 0 }

// passes reports whether y = x at the width in use.
func (o *ActivationQuant) passes() bool { return o.Off || o.Steps.Bits() == o.Through }

// Prepare reads the codes of the width in use and allocates partial sums.
func (o *ActivationQuant) Prepare(_ *engine.Task, g engine.Grid, _ bool) {
	o.partial = sized(o.partial, g.Pieces())
	o.lo, o.hi = o.Steps.levels()
}

// sized returns s resized to n elements of unspecified value.
func sized(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	return s[:n]
}

// Watch adds up |x| of a piece, for Start.
func (o *ActivationQuant) Watch(_ *engine.Task, p *engine.Piece) {
	var sum float64
	for _, v := range p.X {
		sum += math.Abs(float64(v))
	}
	o.partial[p.Index] = sum
}

// Start sets the step size to firstStep of the batch that Watch has seen.
func (o *ActivationQuant) Start(_ *engine.Task, g engine.Grid) {
	var sum float64
	for _, v := range o.partial {
		sum += v
	}
	o.Steps.Param().Data[0] = firstStep(sum/float64(max(g.Len(), 1)), o.hi)
}

// firstStep is the initial step size of LSQ, 2*mean|x|/sqrt(p). It is 1 where x is all zero, or not finite.
func firstStep(mean float64, p float32) float32 {
	s := float32(2 * mean / math.Sqrt(float64(p)))
	if !(s > 0) || math.IsInf(float64(s), 0) {
		return 1
	}
	return s
}

// Map computes a piece of y. p.Y may alias p.X.
func (o *ActivationQuant) Map(_ *engine.Task, p *engine.Piece) {
	if o.passes() {
		p.Pass()
		return
	}
	s := o.Steps.Param().Data[0]
	kernel.FakeQuant(p.X, s, o.lo, o.top(s, o.hi), p.Y)
}

// Forward computes y outside a fused chain.
func (o *ActivationQuant) Forward(t *engine.Task) { engine.ForwardAlone(t, o) }

// top is the highest code that may come out, given the upper bound ClipMax.
func (o *ActivationQuant) top(s, p float32) float32 {
	if o.ClipMax > 0 {
		return float32(math.Min(float64(p), math.RoundToEven(float64(o.ClipMax/s))))
	}
	return p
}

// Retain keeps x for Backward.
func (*ActivationQuant) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dx, in the memory of dy if nothing else needs it, and adds ds to the gradient of the step size.
func (o *ActivationQuant) Backward(t *engine.Task) { engine.BackwardAlone(t, o) }

// Slope computes a piece of dx and its share of ds.
func (o *ActivationQuant) Slope(_ *engine.Task, p *engine.Piece) {
	if o.passes() {
		p.PassBack()
		return
	}
	o.partial[p.Index] = kernel.FakeQuantGrad(p.X, p.DY, o.Steps.Param().Data[0], o.lo, o.hi, p.DX)
}

// Conclude adds ds, summed over the pieces, after a backward run.
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
