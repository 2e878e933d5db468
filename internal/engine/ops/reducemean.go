package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// ReduceMean is the mean, or with Sum the sum, over Axes (all if empty, unless NoopEmpty); dx = dy/count, or dy,
// wherever x was averaged.
type ReduceMean struct {
	Axes      []int64
	KeepDims  bool
	NoopEmpty bool
	Sum       bool         // ReduceSum: not divided by the count
	walk      walk         // over x: operand 0 is x, operand 1 is y with stride 0 along the axes
	x         tensor.Shape // what walk was planned for
	scale     float32
}

// Type is "ReduceMean" or "ReduceSum".
func (o *ReduceMean) Type() string {
	if o.Sum {
		return "ReduceSum"
	}
	return "ReduceMean"
}

// Absorb takes the axes, input 1.
func (o *ReduceMean) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	axes, ok, err := constInts(in, 1, "axes of ReduceMean")
	if ok {
		o.Axes = axes
	}
	return in[:min(1, len(in))], err
}

// Infer drops the axes, or makes them 1 with KeepDims.
func (o *ReduceMean) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	_, kept, err := o.plan(in[0])
	if err != nil {
		return nil, err
	}
	if o.KeepDims {
		return []tensor.Shape{kept}, nil
	}
	drop, _ := o.reduced(len(in[0]))
	out := tensor.Shape{}
	for i, d := range kept {
		if !drop[i] {
			out = append(out, d)
		}
	}
	return []tensor.Shape{out}, nil
}

// reduced marks the axes that are reduced.
func (o *ReduceMean) reduced(rank int) ([]bool, error) {
	drop := make([]bool, rank)
	for _, axis := range o.Axes {
		a, err := tensor.Axis(axis, rank)
		if err != nil {
			return nil, err
		}
		drop[a] = true
	}
	if len(o.Axes) == 0 && !o.NoopEmpty {
		for i := range drop {
			drop[i] = true
		}
	}
	return drop, nil
}

// plan gives the walk and the shape of y with the axes kept as 1.
func (o *ReduceMean) plan(x tensor.Shape) (walk, tensor.Shape, error) {
	drop, err := o.reduced(len(x))
	if err != nil {
		return walk{}, nil, err
	}
	kept := x.Clone()
	for i := range kept {
		if drop[i] {
			kept[i] = 1
		}
	}
	w, err := newWalk(x, nil, x.Strides(), broadcastStrides(kept, x))
	return w, kept, err
}

// Forward computes y.
func (o *ReduceMean) Forward(t *engine.Task) {
	if x := t.In[0].Shape; o.walk.rows == 0 || !o.x.Equal(x) {
		w, kept, _ := o.plan(x) // Infer has checked that it can be planned
		o.walk, o.x, o.scale = w, x, float32(kept.Numel())/float32(max(x.Numel(), 1))
		if o.Sum {
			o.scale = 1
		}
	}
	w := &o.walk
	clear(t.Out[0].Data)
	if w.injective(1) {
		t.Parallel(w.chunks(), reduceRows)
		return
	}
	for i := range w.chunks() {
		reduceRows(t, i)
	}
}

// reduceRows adds up the rows of part i.
func reduceRows(t *engine.Task, i int) {
	o := t.Node.Op.(*ReduceMean)
	w, x, y := &o.walk, t.In[0].Data, t.Out[0].Data
	for r, end := w.rowSpan(i); r < end; r++ {
		at := w.offset(r)
		row := x[at[0] : at[0]+w.inner]
		if w.step[1] == 0 {
			y[at[1]] += float32(kernel.Sum(row) * float64(o.scale))
			continue
		}
		kernel.Axpy(o.scale, row, y[at[1]:at[1]+w.inner])
	}
}

// Retain keeps nothing.
func (*ReduceMean) Retain() engine.Retain { return engine.Retain{} }

// Backward computes dx.
func (o *ReduceMean) Backward(t *engine.Task) {
	if t.GradIn[0].Data == nil {
		return
	}
	t.Parallel(o.walk.chunks(), func(t *engine.Task, i int) {
		o := t.Node.Op.(*ReduceMean)
		w, dx, dy := &o.walk, t.GradIn[0].Data, t.GradOut[0].Data
		for r, end := w.rowSpan(i); r < end; r++ {
			at := w.offset(r)
			row := dx[at[0] : at[0]+w.inner]
			for k := range row {
				row[k] = o.scale * dy[at[1]+k*w.step[1]]
			}
		}
	})
}

func buildReduceMean(a Attributes) (engine.Op, error) {
	return &ReduceMean{Axes: a.Ints("axes"), KeepDims: a.Int("keepdims", 1) != 0, NoopEmpty: a.Int("noop_with_empty_axes", 0) != 0}, nil
}

func buildReduceSum(a Attributes) (engine.Op, error) {
	return &ReduceMean{
		Axes: a.Ints("axes"), KeepDims: a.Int("keepdims", 1) != 0, NoopEmpty: a.Int("noop_with_empty_axes", 0) != 0, Sum: true,
	}, nil
}
