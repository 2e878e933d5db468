package engine

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine/grad"
	"github.com/mpqc/mpqc/internal/tensor"
)

// binding is the plan for one batch size: tasks whose buffers point into the arena.
type binding struct {
	batch    int
	shapes   []tensor.Shape
	forward  []Task // per node
	backward []Task // per step of the tape
	ops      []Differentiable
	adds     [][]addition
	seeds    []addition
	params   []paramRef
}

// addition is a temporary that is added to a gradient. The gradient of a parameter is looked up when it happens.
type addition struct {
	src, dst []float32
	param    *Param
}

// paramRef is a buffer of a task that shows the elements of a parameter. They are looked up at each run, because
// training swaps them with their running averages.
type paramRef struct {
	buf   *Buf
	param *Param
}

// bind makes the tasks for a batch of n, which is at most the planned one.
func (e *Exec) bind(n int) (*binding, error) {
	p := e.plan
	s, err := p.shapes(n)
	if err != nil {
		return nil, err
	}
	b := &binding{batch: n, shapes: s, forward: make([]Task, len(p.nodes))}
	for i, pn := range p.nodes {
		t := &b.forward[i]
		*t = Task{Node: pn.node, In: make([]Buf, len(pn.in)), Out: make([]Buf, len(pn.out)), Pool: p.opts.Pool}
		e.bindData(b, pn, t, nil)
		if err := e.bindOwn(b, pn, t, 0); err != nil {
			return nil, err
		}
	}
	if p.tape == nil {
		return b, nil
	}
	b.backward, b.ops = make([]Task, len(p.tape.Steps)), make([]Differentiable, len(p.tape.Steps))
	b.adds = make([][]addition, len(p.tape.Steps))
	for k := range p.tape.Steps {
		if err := e.bindStep(b, k); err != nil {
			return nil, err
		}
	}
	for _, i := range p.tape.Seeds {
		v := p.index[p.graph.Outputs[i]]
		a := addition{src: e.at(p.seeds[i], s[v].Numel()), param: p.values[p.root[p.class[v]]].Param}
		if a.param == nil {
			a.dst = e.gradOf(b, v)
		}
		b.seeds = append(b.seeds, a)
	}
	return b, nil
}

// bindData sets In and Out of a task. If only is not nil, just the values in it get data.
func (e *Exec) bindData(b *binding, pn planned, t *Task, only map[int]bool) {
	fill := func(buf *Buf, v int) {
		if v < 0 {
			return
		}
		buf.Shape = b.shapes[v]
		if only != nil && !only[v] {
			return
		}
		root := e.plan.values[e.plan.root[e.plan.class[v]]]
		switch {
		case root.Param != nil:
			buf.Data = root.Param.Data
			b.params = append(b.params, paramRef{buf, root.Param})
		case root.IsConst():
			buf.Data = root.Const
		default:
			buf.Data = e.at(e.plan.data[e.plan.class[v]], b.shapes[v].Numel())
		}
	}
	for i, v := range pn.in {
		fill(&t.In[i], v)
	}
	for i, v := range pn.out {
		fill(&t.Out[i], v)
	}
}

// bindOwn sets Saved and Scratch of a task; phase 0 is forward, 1 backward.
func (e *Exec) bindOwn(b *binding, pn planned, t *Task, phase int) error {
	in, out := pick(b.shapes, pn.in), pick(b.shapes, pn.out)
	if sv, ok := pn.node.Op.(Saver); ok {
		n := sv.SavedBytes(in, out)
		if (n+3)/4 > pn.saved.floats {
			return fmt.Errorf("bind node %q (%s): saves more at a smaller batch", pn.node.Name, pn.node.Op.Type())
		}
		t.Saved = bytesOf(e.at(pn.saved, (n+3)/4), n)
	}
	if sc, ok := pn.node.Op.(Scratcher); ok {
		n := sc.ScratchFloats(in, out, e.plan.opts.Pool.Threads())
		if n <= pn.scratch[phase].floats {
			t.Scratch = e.at(pn.scratch[phase], n)
		} else { // an operator that needs more for a smaller batch gets memory outside the plan
			t.Scratch = alignedFloats(n)
		}
	}
	return nil
}

// bindStep makes the task of step k of the reverse sweep.
func (e *Exec) bindStep(b *binding, k int) error {
	p := e.plan
	step := p.tape.Steps[k]
	pn := p.nodes[step.Node]
	t := &b.backward[k]
	b.ops[k] = pn.node.Op.(Differentiable) // the tape admits no other operator
	*t = Task{
		Node: pn.node, Pool: p.opts.Pool,
		In: make([]Buf, len(pn.in)), Out: make([]Buf, len(pn.out)),
		GradIn: make([]Buf, len(pn.in)), GradOut: make([]Buf, len(pn.out)),
	}
	keep := map[int]bool{}
	for _, v := range p.retained(pn) {
		keep[v] = true
	}
	e.bindData(b, pn, t, keep)
	for i, v := range pn.out {
		t.GradOut[i].Shape = b.shapes[v]
		if step.Out[i] {
			t.GradOut[i].Data = e.gradOf(b, v)
		}
	}
	for i, v := range pn.in {
		if v < 0 {
			continue
		}
		t.GradIn[i].Shape = b.shapes[v]
		switch step.In[i] {
		case grad.Write, grad.Share:
			t.GradIn[i].Data = e.gradOf(b, v)
		case grad.Accumulate:
			tmp := e.at(pn.temps[i], b.shapes[v].Numel())
			t.GradIn[i].Data = tmp
			a := addition{src: tmp, param: p.values[p.root[p.class[v]]].Param}
			if a.param == nil {
				a.dst = e.gradOf(b, v)
			}
			b.adds[k] = append(b.adds[k], a)
		case grad.Skip:
		}
	}
	return e.bindOwn(b, pn, t, 1)
}

// gradOf returns the gradient buffer of the class of value v; for a parameter, its accumulated gradient.
func (e *Exec) gradOf(b *binding, v int) []float32 {
	c := e.plan.class[v]
	if prm := e.plan.values[e.plan.root[c]].Param; prm != nil {
		return prm.Grad
	}
	return e.at(e.plan.grads[c], b.shapes[v].Numel())
}

// at returns the first n floats of a block.
func (e *Exec) at(b *block, n int) []float32 {
	return e.arena[b.offset : b.offset+n : b.offset+n]
}
