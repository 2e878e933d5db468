package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Split cuts x along Axis into one piece per output: of the given sizes, or of equal ones, the last smaller where the
// axis does not divide.
type Split struct {
	Axis  int64
	Sizes []int64
}

// Type is "Split".
func (*Split) Type() string { return "Split" }

// MultiOutput implements the interface of that name: all outputs may be read.
func (*Split) MultiOutput() {}

// Absorb takes the sizes, input 1.
func (o *Split) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	sizes, ok, err := constInts(in, 1, "sizes of Split")
	if ok {
		o.Sizes = sizes
	}
	return in[:min(1, len(in))], err
}

// Infer gives one shape per output of the node.
func (o *Split) Infer(n *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	a, err := tensor.Axis(o.Axis, len(in[0]))
	if err != nil {
		return nil, err
	}
	count, whole := len(n.Outputs), int64(in[0][a])
	sizes := o.Sizes
	if sizes == nil {
		for left, each := whole, (whole+int64(count)-1)/int64(max(count, 1)); len(sizes) < count; left -= each {
			sizes = append(sizes, min(each, max(left, 0)))
		}
	}
	if len(sizes) != count {
		return nil, fmt.Errorf("%d sizes for %d outputs", len(sizes), count)
	}
	var out []tensor.Shape
	for _, size := range sizes {
		s := in[0].Clone()
		s[a] = int(size)
		whole -= size
		out = append(out, s)
	}
	if whole != 0 {
		return nil, fmt.Errorf("sizes %v do not add up to %d", sizes, in[0][a])
	}
	return out, nil
}

// spans calls f for each run of elements of each output i: y[to:to+n] stands at x[from:from+n].
func (o *Split) spans(x tensor.Shape, y []engine.Buf, f func(i, from, to, n int)) {
	(&Concat{Axis: o.Axis}).spans(y, x, func(i, from, to, n int) { f(i, to, from, n) })
}

// Forward copies the pieces.
func (o *Split) Forward(t *engine.Task) {
	x := t.In[0].Data
	o.spans(t.In[0].Shape, t.Out, func(i, from, to, n int) { copy(t.Out[i].Data[to:to+n], x[from:from+n]) })
}

// Retain keeps nothing.
func (*Split) Retain() engine.Retain { return engine.Retain{} }

// Backward joins the pieces' gradients; that of a piece which reaches no loss is zero.
func (o *Split) Backward(t *engine.Task) {
	dx := t.GradIn[0].Data
	if dx == nil {
		return
	}
	o.spans(t.GradIn[0].Shape, t.GradOut, func(i, from, to, n int) {
		if t.GradOut[i].Data == nil {
			clear(dx[from : from+n])
			return
		}
		copy(dx[from:from+n], t.GradOut[i].Data[to:to+n])
	})
}

func buildSplit(a Attributes) (engine.Op, error) {
	return &Split{Axis: a.Int("axis", 0), Sizes: a.Ints("split")}, nil
}
