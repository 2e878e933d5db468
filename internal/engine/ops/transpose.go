package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Transpose permutes dimensions: dimension i of y is dimension Perm[i] of x. Without Perm the order is reversed.
type Transpose struct {
	mover
	Perm []int64
}

// Type is "Transpose".
func (*Transpose) Type() string { return "Transpose" }

// perm returns the permutation for a rank. It is an error if Perm is none.
func (o *Transpose) perm(rank int) ([]int, error) {
	p := make([]int, rank)
	if len(o.Perm) == 0 {
		for i := range p {
			p[i] = rank - 1 - i
		}
		return p, nil
	}
	if len(o.Perm) != rank {
		return nil, fmt.Errorf("permutation %v does not fit rank %d", o.Perm, rank)
	}
	seen := make([]bool, rank)
	for i, axis := range o.Perm {
		a, err := tensor.Axis(axis, rank)
		if err != nil {
			return nil, err
		}
		if seen[a] {
			return nil, fmt.Errorf("%v is not a permutation", o.Perm)
		}
		p[i], seen[a] = a, true
	}
	return p, nil
}

// Infer permutes the shape.
func (o *Transpose) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	_, y, err := o.plan(in[0])
	return []tensor.Shape{y}, err
}

// plan returns the walk over x, and the shape of y.
func (o *Transpose) plan(x tensor.Shape) (walk, tensor.Shape, error) {
	p, err := o.perm(len(x))
	if err != nil {
		return walk{}, nil, err
	}
	own := x.Strides()
	y, st := make(tensor.Shape, len(x)), make([]int, len(x))
	for i, a := range p {
		y[i], st[i] = x[a], own[a]
	}
	w, err := newWalk(y, nil, st, y.Strides())
	return w, y, err
}

// Forward computes y.
func (o *Transpose) Forward(t *engine.Task) {
	o.forward(t, o.plan)
}

// Backward computes dx.
func (o *Transpose) Backward(t *engine.Task) { o.backward(t, false) }

func buildTranspose(a Attributes) (engine.Op, error) { return &Transpose{Perm: a.Ints("perm")}, nil }
