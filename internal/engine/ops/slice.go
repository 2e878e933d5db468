package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Slice is numpy's x[start:end:step] along Axes (all leading ones if empty), with ONNX's clamping.
type Slice struct {
	mover
	Starts, Ends, Axes, Steps []int64
}

// Type is "Slice".
func (*Slice) Type() string { return "Slice" }

// Absorb takes starts, ends, axes and steps, inputs 1 to 4.
func (o *Slice) Absorb(in []*engine.Value) ([]*engine.Value, error) {
	for i, dst := range []*[]int64{1: &o.Starts, 2: &o.Ends, 3: &o.Axes, 4: &o.Steps} {
		if dst == nil {
			continue
		}
		v, ok, err := constInts(in, i, "bounds of Slice")
		if err != nil {
			return nil, err
		}
		if ok {
			*dst = v
		}
	}
	return in[:min(1, len(in))], nil
}

// Infer counts the elements that remain.
func (o *Slice) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	_, y, err := o.plan(in[0])
	return []tensor.Shape{y}, err
}

// plan returns the walk over the elements that remain, and the shape of y.
func (o *Slice) plan(x tensor.Shape) (walk, tensor.Shape, error) {
	if len(o.Ends) != len(o.Starts) || len(o.Axes) != 0 && len(o.Axes) != len(o.Starts) || len(o.Steps) != 0 && len(o.Steps) != len(o.Starts) {
		return walk{}, nil, fmt.Errorf("starts %v, ends %v, axes %v and steps %v differ in number", o.Starts, o.Ends, o.Axes, o.Steps)
	}
	y, st, first := x.Clone(), x.Strides(), 0
	for i := range o.Starts {
		axis, step := int64(i), int64(1)
		if len(o.Axes) > 0 {
			axis = o.Axes[i]
		}
		if len(o.Steps) > 0 {
			step = o.Steps[i]
		}
		a, err := tensor.Axis(axis, len(x))
		if err != nil {
			return walk{}, nil, err
		}
		if step == 0 {
			return walk{}, nil, fmt.Errorf("step of axis %d is 0", a)
		}
		start, n := extent(o.Starts[i], o.Ends[i], step, int64(x[a]))
		first += start * st[a]
		y[a] = n
		st[a] *= int(step)
	}
	w, err := newWalk(y, []int{first, 0}, st, y.Strides())
	return w, y, err
}

// extent is the first index and the number of elements of start:end:step along a dimension of size.
func extent(start, end, step, size int64) (first, n int) {
	if start < 0 {
		start += size
	}
	if end < 0 {
		end += size
	}
	if step > 0 {
		start, end = min(max(start, 0), size), min(max(end, 0), size)
		n = int((end - start + step - 1) / step)
	} else {
		start, end = min(max(start, 0), size-1), min(max(end, -1), size-1)
		n = int((start - end - step - 1) / -step)
	}
	return int(start), max(n, 0)
}

// Forward computes y.
func (o *Slice) Forward(t *engine.Task) {
	o.forward(t, o.plan)
}

// Backward computes dx, zero where nothing was read.
func (o *Slice) Backward(t *engine.Task) { o.backward(t, true) }

func buildSlice(a Attributes) (engine.Op, error) {
	return &Slice{Starts: a.Ints("starts"), Ends: a.Ints("ends"), Axes: a.Ints("axes")}, nil
}
