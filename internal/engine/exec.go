package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/kernel"
)

// Exec is a compiled graph. It is not safe for concurrent use. Operators hold state, so in training a Graph belongs to
// one Exec at a time.
type Exec struct {
	plan     *plan
	arena    []float32
	bindings map[int]*binding // by batch
	cur      *binding
	params   []*Param
	training bool
	fresh    bool     // a Forward ran that no Backward followed
	watch    Observer // nil: none
	adding   addition
	addBlock func(i int) // adds block i of adding; made once so that a step allocates nothing
}

// Compile resolves shapes for o.Batch, plans buffers and, for training, the reverse sweep, and allocates the arena.
// Nodes that reach neither an output nor a kept value are left out.
//
// It is an error if shapes do not fit, if buffers exceed o.MaxBytes, or if a gradient must pass an operator that has
// none.
func Compile(g *Graph, o Options) (*Exec, error) {
	p, err := placed(g, o)
	if err != nil {
		return nil, err
	}
	if limit := o.limit(); p.size < 0 || int64(p.size) > limit/4 {
		return nil, fmt.Errorf("compile graph: a batch of %d needs more than %.1f GB of memory; lower it, or export the model with smaller inputs",
			o.Batch, float64(limit)/1e9)
	}
	e := &Exec{plan: p, arena: alignedFloats(p.size), bindings: map[int]*binding{}, training: o.Training}
	e.params = p.params()
	e.addBlock = func(i int) {
		lo, hi := Span(i, len(e.adding.src))
		kernel.Add(e.adding.dst[lo:hi], e.adding.src[lo:hi], e.adding.dst[lo:hi])
	}
	if err := e.SetBatch(o.Batch); err != nil {
		return nil, err
	}
	return e, nil
}

// Bytes is the size of the buffers that Compile would allocate, without a limit. A size beyond the range of int64 is
// returned as its largest number.
func Bytes(g *Graph, o Options) (int64, error) {
	p, err := placed(g, o)
	if err != nil {
		return 0, err
	}
	if p.size < 0 || p.size > math.MaxInt64/4 {
		return math.MaxInt64, nil
	}
	return 4 * int64(p.size), nil
}

// placed returns the plan with the places of all buffers for o.Batch.
func placed(g *Graph, o Options) (*plan, error) {
	if err := o.validate(g); err != nil {
		return nil, err
	}
	p, err := newPlan(g, o)
	if err != nil {
		return nil, err
	}
	shapes, err := p.shapes(o.Batch)
	if err != nil {
		return nil, err
	}
	p.place(shapes)
	return p, nil
}

// params lists the parameters of all nodes that run, in graph order, each once.
func (p *plan) params() []*Param {
	var list []*Param
	seen := map[*Param]bool{}
	add := func(prm *Param) {
		if prm != nil && !seen[prm] {
			seen[prm] = true
			list = append(list, prm)
		}
	}
	for _, pn := range p.nodes {
		for _, v := range pn.in {
			if v >= 0 {
				add(p.values[v].Param)
			}
		}
		if o, ok := pn.node.Op.(ParamOwner); ok {
			for _, prm := range o.Params() {
				add(prm)
			}
		}
	}
	return list
}

// SetBatch sets the batch size of the following runs, at most Options.Batch; more is an error. The first use of a size
// allocates its tasks, but no elements. The contents of inputs are undefined afterwards.
func (e *Exec) SetBatch(n int) error {
	if n < 1 || n > e.plan.opts.Batch {
		return fmt.Errorf("set batch: %d is outside 1..%d", n, e.plan.opts.Batch)
	}
	b := e.bindings[n]
	if b == nil {
		var err error
		if b, err = e.bind(n); err != nil {
			return fmt.Errorf("set batch %d: %w", n, err)
		}
		e.bindings[n] = b
	}
	e.cur, e.fresh = b, false
	return nil
}

// Batch is the batch size of the following runs.
func (e *Exec) Batch() int { return e.cur.batch }

// SetTraining chooses between batch statistics (true, the default after Options.Training) and running statistics.
func (e *Exec) SetTraining(on bool) { e.training = on }

// Params lists the parameters of the graph in graph order, including those that operators own.
func (e *Exec) Params() []*Param { return e.params }

// ZeroGrad clears the gradients of all parameters and their Used marks.
func (e *Exec) ZeroGrad() {
	for _, p := range e.params {
		clear(p.Grad)
		p.Used = false
	}
}

// ArenaBytes is the size of all buffers of the plan together.
func (e *Exec) ArenaBytes() int { return 4 * len(e.arena) }

// Input is the buffer of graph input i. Its contents survive Forward and Backward.
func (e *Exec) Input(i int) Buf { return e.Value(e.plan.graph.Inputs[i]) }

// Output is the buffer of graph output i, valid until the next Forward.
func (e *Exec) Output(i int) Buf { return e.Value(e.plan.graph.Outputs[i]) }

// OutputGrad is the gradient of the loss with respect to output i. The caller writes all of it between Forward and
// Backward; Backward overwrites it. Data is nil if no parameter depends on the output, and without Options.Training.
func (e *Exec) OutputGrad(i int) Buf {
	v := e.plan.index[e.plan.graph.Outputs[i]]
	b := Buf{Shape: e.cur.shapes[v]}
	if e.plan.tape != nil && e.plan.seeds[i] != nil {
		b.Data = e.at(e.plan.seeds[i], b.Shape.Numel())
	}
	return b
}

// Value is the buffer of an input, output, kept value, constant or parameter. Other values have no lasting buffer;
// their Data is nil.
func (e *Exec) Value(v *Value) Buf {
	i, ok := e.plan.index[v]
	if !ok {
		return Buf{}
	}
	b := Buf{Shape: e.cur.shapes[i]}
	c := e.plan.class[i]
	root := e.plan.values[e.plan.root[c]]
	switch {
	case root.Param != nil:
		b.Data = root.Param.Data
	case root.IsConst():
		b.Data = root.Const
	default:
		if d := e.plan.data[c]; d.lasting {
			b.Data = e.at(d, b.Shape.Numel())
		}
	}
	return b
}

// Forward runs all nodes. If the context ends, it stops between two nodes and returns the context's error.
func (e *Exec) Forward(ctx context.Context) error {
	e.fresh = false
	for _, r := range e.cur.params {
		r.buf.Data = r.param.Data
	}
	for i := range e.cur.forward {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := &e.cur.forward[i]
		t.Training = e.training
		start := e.watch.start()
		t.Node.Op.Forward(t)
		e.watch.stop(start, t.Node, false)
	}
	e.fresh = true
	return nil
}

// Backward adds the gradients of all parameters that the outputs depend on, given what the caller wrote to OutputGrad.
// It runs at most once per Forward, since it reuses the memory of forward values.
func (e *Exec) Backward(ctx context.Context) error {
	if e.plan.tape == nil {
		return fmt.Errorf("run backward: the graph was compiled without training")
	}
	if !e.fresh {
		return fmt.Errorf("run backward: no forward ran before it")
	}
	e.fresh = false
	for _, a := range e.cur.seeds {
		e.accumulate(a)
	}
	for k := range e.cur.backward {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := &e.cur.backward[k]
		t.Training = e.training
		start := e.watch.start()
		e.cur.ops[k].Backward(t)
		e.watch.stop(start, t.Node, true)
		start = e.watch.start()
		for _, a := range e.cur.adds[k] {
			e.accumulate(a)
		}
		if len(e.cur.adds[k]) > 0 {
			e.watch.stop(start, nil, true)
		}
	}
	return nil
}

// accumulate adds a temporary to a gradient, block by block.
func (e *Exec) accumulate(a addition) {
	if a.param != nil {
		a.dst, a.param.Used = a.param.Grad, true
	}
	e.adding = a
	e.plan.opts.Pool.Run(Blocks(len(a.src)), e.addBlock)
}
