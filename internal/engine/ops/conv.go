package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Conv is the two-dimensional convolution (cross-correlation) of ONNX: inputs x [N C H W], w [K C/Group R S] and
// optionally b [K], output [N K OH OW].
//
//	y[n,k] = b[k] + sum over c, r, s of x[n, c, stride*oh - pad + dilation*r, ...] * w[k, c, r, s]
type Conv struct {
	Strides, Pads, Dilations []int // as ONNX has them; empty for 1, 0, 1
	Group                    int
	AutoPad                  string

	plans map[convKey]*kernel.Conv
}

// convKey is what a prepared convolution depends on.
type convKey struct {
	shape kernel.ConvShape
	isa   kernel.ISA
}

// plan prepares the convolution of a shape, once.
func (o *Conv) plan(s kernel.ConvShape) *kernel.Conv {
	key := convKey{s, kernel.Active()}
	c := o.plans[key]
	if c == nil {
		if o.plans == nil {
			o.plans = map[convKey]*kernel.Conv{}
		}
		c = kernel.NewConv(s)
		o.plans[key] = c
	}
	return c
}

// Type is "Conv".
func (*Conv) Type() string { return "Conv" }

// Shape resolves the geometry for an input and a weight shape.
func (o *Conv) Shape(x, w tensor.Shape) (kernel.ConvShape, error) {
	var s kernel.ConvShape
	if len(w) != 4 {
		return s, fmt.Errorf("weights have rank %d, 4 wanted", len(w))
	}
	win := window{Strides: o.Strides, Pads: o.Pads, Dilations: o.Dilations, AutoPad: o.AutoPad}
	g, err := win.resolve(x, w[2], w[3])
	if err != nil {
		return s, err
	}
	if o.Group < 1 || x[1] != w[1]*o.Group || w[0]%o.Group != 0 {
		return s, fmt.Errorf("weights %s in %d groups do not fit input %s", w, o.Group, x)
	}
	return kernel.ConvShape{
		N: x[0], C: x[1], H: x[2], W: x[3], K: w[0], R: w[2], S: w[3],
		StrideH: g.sh, StrideW: g.sw, PadT: g.pt, PadL: g.pl, PadB: g.pb, PadR: g.pr,
		DilH: g.dh, DilW: g.dw, Groups: o.Group, OH: g.oh, OW: g.ow,
	}, nil
}

// Infer gives [N K OH OW].
func (o *Conv) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 2, 3); err != nil {
		return nil, err
	}
	s, err := o.Shape(in[0], in[1])
	if err != nil {
		return nil, err
	}
	if len(in) == 3 && in[2] != nil && !in[2].Equal(tensor.Shape{s.K}) {
		return nil, fmt.Errorf("bias is %s, %d wanted", in[2], s.K)
	}
	return []tensor.Shape{{s.N, s.K, s.OH, s.OW}}, nil
}

// ScratchFloats is what the kernels want.
func (o *Conv) ScratchFloats(in, _ []tensor.Shape, threads int) int {
	s, err := o.Shape(in[0], in[1])
	if err != nil {
		return 0 // Infer has reported it
	}
	return o.plan(s).Scratch(threads)
}

// Forward computes y.
func (o *Conv) Forward(t *engine.Task) {
	s, _ := o.Shape(t.In[0].Shape, t.In[1].Shape)
	y := t.Out[0].Data
	o.plan(s).Forward(t.Pool, t.In[0].Data, t.In[1].Data, y, t.Scratch)
	if len(t.In) > 2 && t.In[2].Data != nil {
		kernel.BiasForward(t.Pool, y, s.N, s.K, s.OH*s.OW, t.In[2].Data)
	}
}

// Retain keeps x and w.
func (*Conv) Retain() engine.Retain { return engine.Retain{In: []int{0, 1}} }

// Backward computes dx, dw and db as far as they are wanted.
func (o *Conv) Backward(t *engine.Task) {
	s, _ := o.Shape(t.In[0].Shape, t.In[1].Shape)
	dy := t.GradOut[0].Data
	if dx := t.GradIn[0].Data; dx != nil {
		o.plan(s).BackwardData(t.Pool, t.In[1].Data, dy, dx, t.Scratch)
	}
	if dw := t.GradIn[1].Data; dw != nil {
		o.plan(s).BackwardWeight(t.Pool, t.In[0].Data, dy, dw, t.Scratch)
	}
	if len(t.GradIn) > 2 && t.GradIn[2].Data != nil {
		kernel.BiasBackward(t.Pool, dy, s.N, s.K, s.OH*s.OW, t.GradIn[2].Data)
	}
}

func buildConv(a Attributes) (engine.Op, error) {
	w, err := buildWindow(a)
	if err != nil {
		return nil, err
	}
	return &Conv{Strides: w.Strides, Pads: w.Pads, Dilations: w.Dilations, AutoPad: w.AutoPad, Group: int(a.Int("group", 1))}, nil
}
