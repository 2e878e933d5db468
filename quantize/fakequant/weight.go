package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// WeightQuant is the LSQ quantizer of weights w, with a step size per output channel k, which axis Axis of w counts:
//
//	y = s[k]*clip(rint(w/s[k]), n, p)
//
// Gradients are those of ActivationQuant, with ds per channel. At widths with chosen codes it is y = s[k]*code, which
// is not meant for training.
type WeightQuant struct {
	Steps     *Steps
	Axis      int
	GradScale bool
	// Off passes weights and gradients unchanged.
	Off bool

	codes [][]int8 // per width of Steps; nil: none were chosen, or not for this one
}

// Type is "WeightQuant".
func (*WeightQuant) Type() string { return "WeightQuant" }

// Params lists the step sizes of all widths.
func (o *WeightQuant) Params() []*engine.Param { return o.Steps.Params() }

// Infer returns the shape of the weights.
func (o *WeightQuant) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if len(in) != 1 || in[0] == nil {
		return nil, fmt.Errorf("%d inputs, 1 wanted", len(in))
	}
	if o.Axis < 0 || o.Axis >= len(in[0]) || in[0][o.Axis] != len(o.Steps.Param().Data) {
		return nil, fmt.Errorf("%d channels along axis %d do not fit weights %s", len(o.Steps.Param().Data), o.Axis, in[0])
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// ScratchFloats is one ds per row, a contiguous run of weights of one channel.
func (o *WeightQuant) ScratchFloats(in, _ []tensor.Shape, _ int) int {
	return in[0].Numel() / max(inside(in[0], o.Axis), 1)
}

// weightRows is the number of rows of a task, for rows of inner elements.
func weightRows(inner int) int { return max(1, engine.Block/max(inner, 1)) }

// Forward computes y.
func (o *WeightQuant) Forward(t *engine.Task) {
	if o.Off {
		copy(t.Out[0].Data, t.In[0].Data)
		return
	}
	o.each(t, func(t *engine.Task, i int) {
		o, w, y := t.Node.Op.(*WeightQuant), t.In[0].Data, t.Out[0].Data
		n, p := o.Steps.levels()
		s, inner, codes := o.Steps.Param().Data, inside(t.In[0].Shape, o.Axis), o.chosen()
		for row := i * weightRows(inner); row < min((i+1)*weightRows(inner), len(w)/inner); row++ {
			if codes != nil {
				dequantize(codes[row*inner:(row+1)*inner], s[row%len(s)], y[row*inner:(row+1)*inner])
				continue
			}
			kernel.FakeQuant(w[row*inner:(row+1)*inner], s[row%len(s)], n, p, y[row*inner:(row+1)*inner])
		}
	})
}

// chosen returns the codes at the width in use; nil means the nearest ones.
func (o *WeightQuant) chosen() []int8 {
	if o.codes == nil {
		return nil
	}
	return o.codes[o.Steps.current]
}

// dequantize writes y = step*codes.
func dequantize(codes []int8, step float32, y []float32) {
	for i, c := range codes {
		y[i] = step * float32(c)
	}
}

// each runs f for all groups of rows.
func (o *WeightQuant) each(t *engine.Task, f func(t *engine.Task, i int)) {
	inner := inside(t.In[0].Shape, o.Axis)
	if inner == 0 {
		return
	}
	rows, group := t.In[0].Shape.Numel()/inner, weightRows(inner)
	t.Parallel((rows+group-1)/group, f)
}

// inside is the number of elements for one index of an axis and of all axes before it.
func inside(s tensor.Shape, axis int) int { return s[axis+1:].Numel() }

// Retain keeps w for Backward.
func (*WeightQuant) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dw, in the memory of dy if nothing else needs it, and adds ds.
func (o *WeightQuant) Backward(t *engine.Task) {
	if o.Off {
		copy(t.GradIn[0].Data, t.GradOut[0].Data)
		return
	}
	o.each(t, func(t *engine.Task, i int) {
		o, w, dy := t.Node.Op.(*WeightQuant), t.In[0].Data, t.GradOut[0].Data
		dw := t.GradIn[0].Data
		if dw == nil {
			dw = dy
		}
		n, p := o.Steps.levels()
		s, inner := o.Steps.Param().Data, inside(t.In[0].Shape, o.Axis)
		for row := i * weightRows(inner); row < min((i+1)*weightRows(inner), len(w)/inner); row++ {
			lo, hi := row*inner, (row+1)*inner
			t.Scratch[row] = float32(kernel.FakeQuantGrad(w[lo:hi], dy[lo:hi], s[row%len(s)], n, p, dw[lo:hi]))
		}
	})
	param := o.Steps.Param()
	channels := len(param.Data)
	_, p := o.Steps.levels()
	scale := float32(gradScale(o.GradScale, len(t.In[0].Data)/channels, p))
	for at := 0; at+channels <= len(t.Scratch); at += channels {
		kernel.Axpy(scale, t.Scratch[at:at+channels], param.Grad)
	}
	param.Used = true
}

// start sets the step sizes of all widths b to max(|mean-3*std|, |mean+3*std|)/2^(b-1) of each channel's weights.
func (o *WeightQuant) start(w []float32, shape tensor.Shape) {
	channels, inner := shape[o.Axis], inside(shape, o.Axis)
	sum, square := make([]float64, channels), make([]float64, channels)
	for i, v := range w {
		k := i / inner % channels
		sum[k] += float64(v)
		square[k] += float64(v) * float64(v)
	}
	count := float64(len(w)) / float64(channels)
	for k := range sum {
		mean := sum[k] / count
		std := math.Sqrt(math.Max(square[k]/count-mean*mean, 0))
		reach := math.Max(math.Abs(mean-3*std), math.Abs(mean+3*std))
		if !(reach > 0) {
			reach = 1 // an empty channel: any step represents it
		}
		for i, b := range o.Steps.bits {
			o.Steps.params[i].Data[k] = float32(math.Ldexp(reach, 1-b))
		}
	}
}
