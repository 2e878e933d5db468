package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/kernel"
)

// Exec is a compiled graph. It is not safe for use by several goroutines; operators that hold state make a Graph
// belong to one Exec in training at a time.
type Exec struct {
	plan     *plan
	arena    []float32
	bindings map[int]*binding // by batch
	cur      *binding
	params   []*Param
	training bool
	fresh    bool     // a Forward ran whose Backward has not
	watch    Observer // nil: none
	adding   addition
	addBlock func(i int) // adds block i of adding; made once so that a step allocates nothing
}

// Compile resolves shapes for o.Batch, plans buffers and, for training, the backward sweep, and allocates the arena.
// Nodes that reach neither an output nor a kept value are left out.
func Compile(g *Graph, o Options) (*Exec, error) {
	p, err := placed(g, o)
	if err != nil {
		return nil, err
	}
	if limit := o.limit(); p.size < 0 || int64(p.size) > limit/4 {
		return nil, fmt.Errorf("compile graph: a batch of %d needs more than %.1f GB of memory; lower it, or export the model with smaller pictures",
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

// Bytes is what Compile would allocate for buffers, whatever the limit: the largest number where that is out of bounds.
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

// placed is the plan with the places of all buffers for o.Batch.
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

// SetBatch chooses the batch of the following runs, at most Options.Batch. The first use of a size allocates its
// tasks, no elements; contents of inputs are undefined afterwards.
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

// Batch is the batch of the following runs.
func (e *Exec) Batch() int { return e.cur.batch }

// SetTraining chooses between batch statistics (true, the default of an Exec compiled for training) and running ones.
func (e *Exec) SetTraining(on bool) { e.training = on }

// Params lists the parameters of the graph, those that operators own included, in graph order.
func (e *Exec) Params() []*Param { return e.params }

// ZeroGrad clears the gradients of all parameters and their Used marks.
func (e *Exec) ZeroGrad() {
	for _, p := range e.params {
		clear(p.Grad)
		p.Used = false
	}
}

// ArenaBytes is the memory that all buffers of the plan take together.
func (e *Exec) ArenaBytes() int { return 4 * len(e.arena) }

// Input is the buffer of graph input i; its contents survive Forward and Backward.
func (e *Exec) Input(i int) Buf { return e.Value(e.plan.graph.Inputs[i]) }

// Output is graph output i, valid from Forward to the next one.
func (e *Exec) Output(i int) Buf { return e.Value(e.plan.graph.Outputs[i]) }

// OutputGrad is the gradient of the loss with respect to output i, to be written in full between Forward and
// Backward; Backward overwrites it. Data is nil where no parameter depends on the output, and without Training.
func (e *Exec) OutputGrad(i int) Buf {
	v := e.plan.index[e.plan.graph.Outputs[i]]
	b := Buf{Shape: e.cur.shapes[v]}
	if e.plan.tape != nil && e.plan.seeds[i] != nil {
		b.Data = e.at(e.plan.seeds[i], b.Shape.Numel())
	}
	return b
}

// Value is the buffer of an input, output, kept value, constant or parameter. Any other value has no lasting
// buffer, and its Data is nil.
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

// Forward runs all nodes. It returns early with the context's error if that ends between two nodes.
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

// Backward adds the gradients of all parameters that the outputs depend on, given what the caller wrote to
// OutputGrad. It runs once per Forward, since it reuses the memory of forward values.
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

// accumulate adds a temporary to a gradient, in blocks.
func (e *Exec) accumulate(a addition) {
	if a.param != nil {
		a.dst, a.param.Used = a.param.Grad, true
	}
	e.adding = a
	e.plan.opts.Pool.Run(Blocks(len(a.src)), e.addBlock)
}
