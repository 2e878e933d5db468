package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// MatMul is numpy's matmul for operands of rank 2 and above: a [... M C] times b [... C K], leading dimensions
// broadcast. da = dy*b^T, db = a^T*dy, summed where broadcast.
type MatMul struct{}

// Type is "MatMul".
func (*MatMul) Type() string { return "MatMul" }

// Infer gives [... M K].
func (o *MatMul) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 2, 2); err != nil {
		return nil, err
	}
	a, b := in[0], in[1]
	if len(a) < 2 || len(b) < 2 {
		return nil, fmt.Errorf("operands %s and %s: vectors are not supported", a, b)
	}
	if a[len(a)-1] != b[len(b)-2] {
		return nil, fmt.Errorf("matrices %s and %s do not multiply", a, b)
	}
	lead, err := tensor.Broadcast(a[:len(a)-2], b[:len(b)-2])
	if err != nil {
		return nil, err
	}
	if _, err := newWalk(lead, nil); err != nil {
		return nil, err
	}
	return []tensor.Shape{append(lead, a[len(a)-2], b[len(b)-1])}, nil
}

// product is one matrix product of the batch, as offsets.
type product struct{ a, b, y int }

// each calls f for every matrix product. Where b is one matrix, a is one tall matrix.
func (o *MatMul) each(a, b, y tensor.Shape, f func(m, n, k int, p product)) {
	m, k, n := a[len(a)-2], a[len(a)-1], b[len(b)-1]
	lead := y[:len(y)-2]
	if b[:len(b)-2].Numel() == 1 {
		f(a[:len(a)-1].Numel(), n, k, product{})
		return
	}
	sa, sb, sy := broadcastStrides(a[:len(a)-2], lead), broadcastStrides(b[:len(b)-2], lead), lead.Strides()
	w, _ := newWalk(lead, nil, sa, sb, sy)
	for r := range w.rows {
		at := w.offset(r)
		for i := range w.inner {
			f(m, n, k, product{(at[0] + i*w.step[0]) * m * k, (at[1] + i*w.step[1]) * k * n, (at[2] + i*w.step[2]) * m * n})
		}
	}
}

// Forward computes y.
func (o *MatMul) Forward(t *engine.Task) {
	a, b, y := t.In[0], t.In[1], t.Out[0]
	o.each(a.Shape, b.Shape, y.Shape, func(m, n, k int, p product) {
		kernel.Gemm(t.Pool, false, false, m, n, k, 1, a.Data[p.a:], k, b.Data[p.b:], n, 0, y.Data[p.y:], n)
	})
}

// Retain keeps both operands.
func (*MatMul) Retain() engine.Retain { return engine.Retain{In: []int{0, 1}} }

// Backward computes da and db as far as they are wanted.
func (o *MatMul) Backward(t *engine.Task) {
	a, b, dy := t.In[0], t.In[1], t.GradOut[0]
	da, db := t.GradIn[0].Data, t.GradIn[1].Data
	clear(da) // broadcasting makes several products add to one place
	clear(db)
	o.each(a.Shape, b.Shape, dy.Shape, func(m, n, k int, p product) {
		if da != nil {
			kernel.Gemm(t.Pool, false, true, m, k, n, 1, dy.Data[p.y:], n, b.Data[p.b:], n, 1, da[p.a:], k)
		}
		if db != nil {
			kernel.Gemm(t.Pool, true, false, k, n, m, 1, a.Data[p.a:], k, dy.Data[p.y:], n, 1, db[p.b:], n)
		}
	})
}

func buildMatMul(Attributes) (engine.Op, error) { return &MatMul{}, nil }
