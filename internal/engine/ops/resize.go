package ops

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Resize changes H and W of x [N C H W] by nearest or bilinear sampling: every element of y is a weighted sum of up to
// four of its plane, and the gradient goes back with the same weights. Coordinates are those of ONNX's Resize.
type Resize struct {
	Linear     bool
	Coordinate string // half_pixel, pytorch_half_pixel, half_pixel_symmetric, align_corners, asymmetric
	Rounding   string // of nearest: round_prefer_floor, round_prefer_ceil, floor, ceil
	Axes       []int64
	Scales     []float32
	Sizes      []int64

	rows, cols []sample
	x          tensor.Shape // what the samples were made for
}

// sample says where an element of an axis comes from: (1-part)*x[lo] + part*x[hi].
type sample struct {
	lo, hi int
	part   float32
}

// Type is "Resize".
func (*Resize) Type() string { return "Resize" }

// Absorb takes scales and sizes, inputs 2 and 3; roi, input 1, matters only to a mode that is refused.
func (o *Resize) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	if len(in) > 2 && in[2] != nil {
		v := in[2]
		switch {
		case v.Param != nil:
			o.Scales = v.Param.Data
		case v.Producer == nil && (v.Const != nil || v.Shape.Numel() == 0):
			o.Scales = v.Const
		default:
			return nil, fmt.Errorf("scales of Resize (%q) are not constant", v.Name)
		}
	}
	var err error
	if o.Sizes, _, err = constInts(in, 3, "sizes of Resize"); err != nil {
		return nil, err
	}
	if len(o.Scales) == 0 && len(o.Sizes) == 0 {
		return nil, fmt.Errorf("scales and sizes of Resize are missing")
	}
	return in[:1], nil
}

// target is the new size and the scale of every axis.
func (o *Resize) target(x tensor.Shape) (tensor.Shape, []float64, error) {
	out, scale := x.Clone(), make([]float64, len(x))
	for i := range scale {
		scale[i] = 1
	}
	axes := o.Axes
	if axes == nil {
		for i := range x {
			axes = append(axes, int64(i))
		}
	}
	if n := max(len(o.Scales), len(o.Sizes)); n != len(axes) {
		return nil, nil, fmt.Errorf("%d sizes or scales for %d axes", n, len(axes))
	}
	for i, axis := range axes {
		a, err := tensor.Axis(axis, len(x))
		if err != nil {
			return nil, nil, err
		}
		if len(o.Sizes) > 0 {
			out[a] = int(o.Sizes[i])
			scale[a] = float64(out[a]) / float64(x[a])
		} else {
			scale[a] = float64(o.Scales[i])
			out[a] = int(math.Floor(float64(x[a]) * scale[a]))
		}
		if out[a] < 1 || out[a] > math.MaxInt32 {
			return nil, nil, fmt.Errorf("axis %d of %s cannot become %d", a, x, out[a])
		}
	}
	return out, scale, nil
}

// Infer gives [N C H' W'].
func (o *Resize) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if len(in[0]) != 4 {
		return nil, fmt.Errorf("input %s is not [N C H W]", in[0])
	}
	out, _, err := o.target(in[0])
	if err == nil && len(o.Sizes) > 0 && o.Axes == nil {
		out[0] = in[0][0] // sizes were written for another batch
	}
	if err == nil && (out[0] != in[0][0] || out[1] != in[0][1]) {
		err = fmt.Errorf("batch or channels of %s change to %s", in[0], out)
	}
	return []tensor.Shape{out}, err
}

// plan makes the samples if the shape has changed.
func (o *Resize) plan(x, y tensor.Shape) {
	if o.x.Equal(x) && o.rows != nil {
		return
	}
	_, scale, _ := o.target(x) // Infer has checked it
	o.rows, o.cols, o.x = o.samples(x[2], y[2], scale[2]), o.samples(x[3], y[3], scale[3]), x
}

// samples of an axis of n elements that becomes one of m.
func (o *Resize) samples(n, m int, scale float64) []sample {
	out := make([]sample, m)
	for i := range out {
		at := o.coordinate(float64(i), float64(n), float64(m), scale)
		if !o.Linear {
			k := min(max(int(o.round(at)), 0), n-1)
			out[i] = sample{k, k, 0}
			continue
		}
		at = min(max(at, 0), float64(n-1))
		lo := int(at)
		out[i] = sample{lo, min(lo+1, n-1), float32(at - float64(lo))}
	}
	return out
}

// coordinate returns where element i of m comes from among n elements, by the rule of Coordinate.
func (o *Resize) coordinate(i, n, m, scale float64) float64 {
	switch o.Coordinate {
	case "align_corners":
		if m == 1 {
			return 0
		}
		return i * (n - 1) / (m - 1)
	case "asymmetric":
		return i / scale
	case "pytorch_half_pixel":
		if m == 1 {
			return 0
		}
	case "half_pixel_symmetric":
		return n/2*(1-m/(n*scale)) + (i+0.5)/scale - 0.5
	}
	return (i+0.5)/scale - 0.5
}

// round rounds a coordinate by the rule of Rounding.
func (o *Resize) round(at float64) float64 {
	switch o.Rounding {
	case "floor":
		return math.Floor(at)
	case "ceil":
		return math.Ceil(at)
	case "round_prefer_ceil":
		return math.Floor(at + 0.5)
	}
	return math.Ceil(at - 0.5)
}

// Forward computes y, plane by plane.
func (o *Resize) Forward(t *engine.Task) {
	o.plan(t.In[0].Shape, t.Out[0].Shape)
	t.Parallel(t.Out[0].Shape[:2].Numel(), func(t *engine.Task, p int) {
		o := t.Node.Op.(*Resize)
		x, y := plane(t.In[0], p), plane(t.Out[0], p)
		w := t.In[0].Shape[3]
		for r, row := range o.rows {
			top, bottom := x[row.lo*w:(row.lo+1)*w], x[row.hi*w:(row.hi+1)*w]
			line := y[r*len(o.cols) : (r+1)*len(o.cols)]
			for k, c := range o.cols {
				upper := float32((1-c.part)*top[c.lo]) + float32(c.part*top[c.hi])
				lower := float32((1-c.part)*bottom[c.lo]) + float32(c.part*bottom[c.hi])
				line[k] = float32((1-row.part)*upper) + float32(row.part*lower)
			}
		}
	})
}

// plane is plane p of b [N C H W].
func plane(b engine.Buf, p int) []float32 {
	n := b.Shape[2:].Numel()
	return b.Data[p*n : (p+1)*n]
}

// Retain keeps nothing.
func (*Resize) Retain() engine.Retain { return engine.Retain{} }

// Backward computes dx.
func (o *Resize) Backward(t *engine.Task) {
	if t.GradIn[0].Data == nil {
		return
	}
	o.plan(t.GradIn[0].Shape, t.GradOut[0].Shape)
	t.Parallel(t.GradIn[0].Shape[:2].Numel(), func(t *engine.Task, p int) {
		o := t.Node.Op.(*Resize)
		dx, dy := plane(t.GradIn[0], p), plane(t.GradOut[0], p)
		w := t.GradIn[0].Shape[3]
		clear(dx)
		for r, row := range o.rows {
			top, bottom := dx[row.lo*w:(row.lo+1)*w], dx[row.hi*w:(row.hi+1)*w]
			for k, c := range o.cols {
				g := dy[r*len(o.cols)+k]
				top[c.lo] += g * (1 - row.part) * (1 - c.part)
				top[c.hi] += g * (1 - row.part) * c.part
				bottom[c.lo] += g * row.part * (1 - c.part)
				bottom[c.hi] += g * row.part * c.part
			}
		}
	})
}

func buildResize(a Attributes) (engine.Op, error) {
	o := &Resize{
		Coordinate: a.Str("coordinate_transformation_mode", "half_pixel"),
		Rounding:   a.Str("nearest_mode", "round_prefer_floor"), Axes: a.Ints("axes"),
	}
	switch mode := a.Str("mode", "nearest"); mode {
	case "nearest":
	case "linear":
		o.Linear = true
	default:
		return nil, fmt.Errorf("mode %q is not supported", mode)
	}
	if o.Coordinate == "tf_crop_and_resize" || a.Int("antialias", 0) != 0 || a.Int("exclude_outside", 0) != 0 ||
		a.Str("keep_aspect_ratio_policy", "stretch") != "stretch" {
		return nil, fmt.Errorf("cropping, antialias, exclude_outside and kept aspect ratios are not supported")
	}
	return o, nil
}
