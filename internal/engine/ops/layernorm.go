package ops

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// LayerNorm is LayerNormalization of rows of D elements, the dimensions of x from Axis on: with mean m and (biased)
// variance v of a row, z = (x-m)/sqrt(v+EPS), y = z*scale + bias. With g = dy*scale,
//
//	dx = (g - mean(g) - z*mean(g*z)) / sqrt(v+EPS), dscale = sum(dy*z), dbias = sum(dy)
type LayerNorm struct {
	Axis int64
	EPS  float32
}

// Type is "LayerNormalization".
func (*LayerNorm) Type() string { return "LayerNormalization" }

// Infer gives the output the shape of the input. The scale must have one element per element of a row.
func (o *LayerNorm) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 2, 3); err != nil {
		return nil, err
	}
	a, err := tensor.Axis(o.Axis, len(in[0]))
	if err != nil {
		return nil, err
	}
	for _, s := range in[1:] {
		if s != nil && s.Numel() != in[0][a:].Numel() {
			return nil, fmt.Errorf("scale or bias %s does not fit the last dimensions of %s", s, in[0])
		}
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

func (o *LayerNorm) rows(x tensor.Shape) (rows, d int) {
	a, _ := tensor.Axis(o.Axis, len(x)) // Infer has checked it
	return x[:a].Numel(), x[a:].Numel()
}

// SavedBytes holds mean and 1/sqrt(v+EPS) per row.
func (o *LayerNorm) SavedBytes(in, _ []tensor.Shape) int {
	rows, _ := o.rows(in[0])
	return 8 * rows
}

// Forward computes y.
func (o *LayerNorm) Forward(t *engine.Task) {
	rows, _ := o.rows(t.In[0].Shape)
	t.Parallel(rows, func(t *engine.Task, r int) {
		o := t.Node.Op.(*LayerNorm)
		_, d := o.rows(t.In[0].Shape)
		x, y, saved := t.In[0].Data[r*d:(r+1)*d], t.Out[0].Data[r*d:(r+1)*d], t.SavedFloats()
		var sum, squares float64
		for _, v := range x {
			sum += float64(v)
		}
		mean := sum / float64(d)
		for _, v := range x {
			squares += (float64(v) - mean) * (float64(v) - mean)
		}
		inv := 1 / math.Sqrt(squares/float64(d)+float64(o.EPS))
		saved[2*r], saved[2*r+1] = float32(mean), float32(inv)
		scale, bias := t.In[1].Data, optional(t.In, 2)
		for k, v := range x {
			y[k] = float32((float64(v)-mean)*inv) * scale[k]
			if bias != nil {
				y[k] += bias[k]
			}
		}
	})
}

// optional is the data of an input that may be left out.
func optional(b []engine.Buf, i int) []float32 {
	if i >= len(b) {
		return nil
	}
	return b[i].Data
}

// Retain keeps x and the scale.
func (*LayerNorm) Retain() engine.Retain { return engine.Retain{In: []int{0, 1}} }

// Backward computes dx, and the gradients of scale and bias row after row, so that sums have one order.
func (o *LayerNorm) Backward(t *engine.Task) {
	rows, d := o.rows(t.In[0].Shape)
	if t.GradIn[0].Data != nil {
		t.Parallel(rows, layerNormRow)
	}
	dscale, dbias := t.GradIn[1].Data, optional(t.GradIn, 2)
	clear(dscale)
	clear(dbias)
	x, dy, saved := t.In[0].Data, t.GradOut[0].Data, t.SavedFloats()
	for r := range rows {
		mean, inv := saved[2*r], saved[2*r+1]
		if dscale != nil {
			for k := range d {
				dscale[k] += dy[r*d+k] * (x[r*d+k] - mean) * inv
			}
		}
		if dbias != nil {
			for k := range d {
				dbias[k] += dy[r*d+k]
			}
		}
	}
}

// layerNormRow computes row r of dx.
func layerNormRow(t *engine.Task, r int) {
	_, d := t.Node.Op.(*LayerNorm).rows(t.In[0].Shape)
	x, scale, dy, dx := t.In[0].Data[r*d:(r+1)*d], t.In[1].Data, t.GradOut[0].Data[r*d:(r+1)*d], t.GradIn[0].Data[r*d:(r+1)*d]
	mean, inv := float64(t.SavedFloats()[2*r]), float64(t.SavedFloats()[2*r+1])
	var sum, along float64
	for k, v := range x {
		g := float64(dy[k]) * float64(scale[k])
		sum += g
		along += g * (float64(v) - mean) * inv
	}
	sum, along = sum/float64(d), along/float64(d)
	for k, v := range x {
		g := float64(dy[k]) * float64(scale[k])
		dx[k] = float32((g - sum - (float64(v)-mean)*inv*along) * inv)
	}
}

func buildLayerNorm(a Attributes) (engine.Op, error) {
	return &LayerNorm{Axis: a.Int("axis", -1), EPS: a.Float("epsilon", 1e-5)}, nil
}
