package fakequant

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// grids describes the operands of a layer: its input lies at multiples of input(), its weights at multiples of their
// channel's step size. With quantizers off, they lie on no grid.
//
// The forward pass can then be a product of integers, as in the exported network. Gradients are those of the float
// operator on the same values.
type grids struct {
	input  func() float32 // step size of the input
	zero   func() int     // zero point of an asymmetric input; nil for others
	signed bool           // input codes are signed
	weight *WeightQuant
}

// exactly replaces the operator of a layer by one that computes on the codes of its operands. It returns op itself
// where nothing would be gained: depthwise convolutions are bound by memory, and long sums exceed int32.
func exactly(op engine.Op, l *quantize.Layer, g grids) engine.Op {
	if l.Terms() > kernel.MaxIntTerms {
		return op
	}
	switch o := op.(type) {
	case *ops.Conv:
		if l.Shape[l.InputAxis] > 1 {
			return &intConv{Conv: o, grids: g, plans: map[convKey]*kernel.IntConv{}}
		}
	case *ops.Gemm:
		if !o.TransA && o.Alpha == 1 {
			return &intGemm{Gemm: o, grids: g, plans: matrices{}}
		}
	case *ops.MatMul:
		if len(l.Shape) == 2 && l.Axis == 1 {
			return &intMatMul{MatMul: o, grids: g, plans: matrices{}}
		}
	}
	return op
}

// convKey is what a prepared convolution depends on.
type convKey struct {
	shape   kernel.ConvShape
	threads int
	isa     kernel.ISA
}

// intConv is ops.Conv with the forward pass of kernel.IntConv.
type intConv struct {
	*ops.Conv
	grids
	plans map[convKey]*kernel.IntConv
}

// plan returns the prepared convolution for these shapes, nil if they are invalid.
func (o *intConv) plan(x, w tensor.Shape, threads int) (*kernel.IntConv, kernel.ConvShape) {
	s, err := o.Shape(x, w)
	if err != nil {
		return nil, s // Infer has reported it
	}
	key := convKey{s, threads, kernel.Active()}
	p := o.plans[key]
	if p == nil {
		p = kernel.NewIntConv(s, o.signed, threads)
		o.plans[key] = p
	}
	return p, s
}

// ScratchFloats is the larger of what the forward and the backward kernels need.
func (o *intConv) ScratchFloats(in, out []tensor.Shape, threads int) int {
	p, _ := o.plan(in[0], in[1], threads)
	if p == nil {
		return 0
	}
	return max(p.Scratch(), o.Conv.ScratchFloats(in, out, threads))
}

// Forward computes y from the codes of x and w.
func (o *intConv) Forward(t *engine.Task) {
	if o.weight.Off {
		o.Conv.Forward(t)
		return
	}
	p, s := o.plan(t.In[0].Shape, t.In[1].Shape, t.Pool.Threads())
	y, taps := t.Out[0].Data, s.R*s.S
	p.Weights(t.Pool, t.In[1].Data, o.weight.Steps.Param().Data, s.C/s.Groups*taps, taps)
	if o.zero != nil {
		p.Offset(o.zero())
	}
	p.Forward(t.Pool, t.In[0].Data, o.input(), y, t.Scratch)
	if len(t.In) > 2 && t.In[2].Data != nil {
		kernel.BiasForward(t.Pool, y, s.N, s.K, s.OH*s.OW, t.In[2].Data)
	}
}

// matrixKey is what a prepared matrix product depends on.
type matrixKey struct {
	m, n, k, threads int
	isa              kernel.ISA
}

// matrices caches prepared products.
type matrices map[matrixKey]*kernel.IntGemm

// plan returns the prepared product of [m, k] and [k, n].
func (p matrices) plan(m, n, k int, signed bool, threads int) *kernel.IntGemm {
	key := matrixKey{m, n, k, threads, kernel.Active()}
	g := p[key]
	if g == nil {
		g = kernel.NewIntGemm(m, n, k, signed, threads)
		p[key] = g
	}
	return g
}

// forward computes y of x [..., C] and w [C, K], or w [K, C] if trans.
func (p matrices) forward(t *engine.Task, g grids, trans bool) {
	x, y := t.In[0], t.Out[0]
	k, n := x.Shape[len(x.Shape)-1], y.Shape[len(y.Shape)-1]
	plan := p.plan(x.Shape[:len(x.Shape)-1].Numel(), n, k, g.signed, t.Pool.Threads())
	plan.Weights(t.Pool, t.In[1].Data, g.weight.Steps.Param().Data, trans)
	if g.zero != nil {
		plan.Offset(g.zero())
	}
	plan.Forward(t.Pool, x.Data, g.input(), y.Data, t.Scratch)
}

// scratch is the number of floats that forward needs.
func (p matrices) scratch(x, y tensor.Shape, g grids, threads int) int {
	return p.plan(x[:len(x)-1].Numel(), y[len(y)-1], x[len(x)-1], g.signed, threads).Scratch()
}

// intGemm is ops.Gemm with the forward pass of kernel.IntGemm.
type intGemm struct {
	*ops.Gemm
	grids
	plans matrices
}

// ScratchFloats is what the forward pass needs.
func (o *intGemm) ScratchFloats(in, out []tensor.Shape, threads int) int {
	return o.plans.scratch(in[0], out[0], o.grids, threads)
}

// Forward computes y from the codes of x and w.
func (o *intGemm) Forward(t *engine.Task) {
	if o.weight.Off {
		o.Gemm.Forward(t)
		return
	}
	o.plans.forward(t, o.grids, o.TransB)
	o.AddTo(t)
}

// intMatMul is ops.MatMul with the forward pass of kernel.IntGemm.
type intMatMul struct {
	*ops.MatMul
	grids
	plans matrices
}

// ScratchFloats is what the forward pass needs.
func (o *intMatMul) ScratchFloats(in, out []tensor.Shape, threads int) int {
	return o.plans.scratch(in[0], out[0], o.grids, threads)
}

// Forward computes y from the codes of x and w.
func (o *intMatMul) Forward(t *engine.Task) {
	if o.weight.Off {
		o.MatMul.Forward(t)
		return
	}
	o.plans.forward(t, o.grids, false)
}
