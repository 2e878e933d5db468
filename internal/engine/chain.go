package engine

import (
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
)

// chain is the operator of a fused node: stages of which each reads the one before. It belongs to one Exec.
type chain struct {
	stages []stage
	pieces []Piece // per worker
	watch  int     // stage that watches its input

	// What depends on the shape.
	shape  tensor.Shape
	grid   Grid
	shared int // floats of scratch that all stages share
}

// stage is one operator of a chain.
type stage struct {
	node  *Node
	op    Pointwise
	start Starter // op if it is a Starter; asserted once, since asserting may allocate
	other int     // input of the chain that is the second operand; -1: none
	out   int     // output of the chain that is the result; -1: none
	saved int     // bytes
	task  Task    // the task that op receives
}

// chunkPieces is the number of pieces that a worker takes at a time.
const chunkPieces = 8

// Type joins the types of all stages.
func (c *chain) Type() string {
	names := make([]string, len(c.stages))
	for i := range c.stages {
		names[i] = c.stages[i].op.Type()
	}
	return strings.Join(names, "+")
}

// Params lists the parameters of all stages.
func (c *chain) Params() []*Param {
	var list []*Param
	for i := range c.stages {
		if o, ok := c.stages[i].op.(ParamOwner); ok {
			list = append(list, o.Params()...)
		}
	}
	return list
}

// Infer returns the shape of the first input for every output.
func (c *chain) Infer(n *Node, in []tensor.Shape) ([]tensor.Shape, error) {
	for i := range c.stages {
		s := &c.stages[i]
		shapes := []tensor.Shape{in[0]}
		if s.other >= 0 {
			shapes = append(shapes, in[s.other])
		}
		out, err := s.op.Infer(s.node, shapes)
		if err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", s.node.Name, s.op.Type(), err)
		}
		if len(out) != 1 || !out[0].Equal(in[0]) || !shapes[len(shapes)-1].Equal(in[0]) {
			return nil, fmt.Errorf("node %q (%s): its shapes are not those that the model states", s.node.Name, s.op.Type())
		}
	}
	out := make([]tensor.Shape, len(n.Outputs))
	for i := range out {
		out[i] = in[0].Clone()
	}
	return out, nil
}

// SavedBytes is the sum over all stages.
func (c *chain) SavedBytes(in, _ []tensor.Shape) int {
	n := 0
	for i := range c.stages {
		n += c.stages[i].savedBytes(in[0])
	}
	return n
}

// operands returns the shapes of a stage's inputs and of its output.
func (s *stage) operands(shape tensor.Shape) (in, out []tensor.Shape) {
	in, out = []tensor.Shape{shape}, []tensor.Shape{shape}
	if s.other >= 0 {
		in = append(in, shape)
	}
	return in, out
}

// savedBytes is rounded up, so that the saved data of the next stage is aligned.
func (s *stage) savedBytes(shape tensor.Shape) int {
	sv, ok := s.op.(Saver)
	if !ok {
		return 0
	}
	return 4 * roundLine((sv.SavedBytes(s.operands(shape))+3)/4)
}

// ScratchFloats is the largest need of a stage, plus, for each worker, the values of a piece between all stages.
func (c *chain) ScratchFloats(in, _ []tensor.Shape, threads int) int {
	return c.scratch(in[0], threads) + threads*len(c.stages)*pieceFloats
}

// scratch is the largest need of a stage. Only stages that begin a chain work outside pieces.
func (c *chain) scratch(shape tensor.Shape, threads int) int {
	s := &c.stages[0]
	sc, ok := s.op.(Scratcher)
	if !ok || !s.op.Head() {
		return 0
	}
	in, out := s.operands(shape)
	return roundLine(sc.ScratchFloats(in, out, threads))
}

// settle computes what depends on the shape.
func (c *chain) settle(t *Task) {
	shape, threads := t.In[0].Shape, t.Pool.Threads()
	c.shape, c.grid, c.shared = shape, NewGrid(shape), c.scratch(shape, threads)
	c.pieces = make([]Piece, threads)
	for i := range c.stages {
		s := &c.stages[i]
		s.saved = s.savedBytes(shape)
		s.task = Task{Node: s.node, In: make([]Buf, 1), Out: make([]Buf, 1), GradIn: make([]Buf, 1), GradOut: make([]Buf, 1), Pool: t.Pool}
		for _, list := range [][]Buf{s.task.In, s.task.Out, s.task.GradIn, s.task.GradOut} {
			list[0].Shape = shape
		}
	}
}

// begin points the tasks of the stages to their buffers. Only the first stage sees elements outside pieces.
func (c *chain) begin(t *Task, backward bool) {
	if !c.shape.Equal(t.In[0].Shape) || c.pieces == nil {
		c.settle(t)
	}
	saved := t.Saved
	for i := range c.stages {
		s := &c.stages[i]
		s.task.Saved, saved = saved[:s.saved], saved[s.saved:]
		s.task.Training = t.Training
	}
	first := &c.stages[0].task
	first.Scratch, first.In[0].Data, first.GradIn[0].Data = t.Scratch[:c.shared], t.In[0].Data, nil
	if backward {
		first.GradIn[0].Data = t.GradIn[0].Data
	}
}

// between is the working memory of a worker for n elements behind stage i.
func (c *chain) between(t *Task, worker, i, n int) []float32 {
	at := len(t.Scratch) - (worker*len(c.stages)+i+1)*pieceFloats
	return t.Scratch[at : at+n]
}

// Forward passes each piece through all stages.
func (c *chain) Forward(t *Task) {
	c.begin(t, false)
	chunks := (c.grid.Pieces() + chunkPieces - 1) / chunkPieces
	for i := range c.stages {
		s := &c.stages[i]
		s.op.Prepare(&s.task, c.grid, false)
		if s.start == nil || s.start.Started() {
			continue
		}
		c.watch = i
		t.ParallelWorker(chunks, watchPieces)
		s.start.Start(&s.task, c.grid)
		s.op.Prepare(&s.task, c.grid, false)
	}
	t.ParallelWorker(chunks, mapPieces)
	for i := range c.stages {
		s := &c.stages[i]
		s.op.Conclude(&s.task, c.grid, false)
	}
}

// watchPieces shows the watching stage a chunk of its input.
func watchPieces(t *Task, worker, chunk int) {
	c := t.Node.Op.(*chain)
	p, s := &c.pieces[worker], &c.stages[c.watch]
	for i := chunk * chunkPieces; i < min((chunk+1)*chunkPieces, c.grid.Pieces()); i++ {
		p.Index = i
		lo, hi := c.grid.Span(i)
		p.At, p.Again = lo, true
		p.Y = t.In[0].Data[lo:hi]
		for k := range c.watch {
			c.apply(t, p, k, lo, hi, c.between(t, worker, 0, hi-lo))
		}
		p.X = p.Y
		s.start.Watch(&s.task, p)
	}
}

// mapPieces computes a chunk of pieces.
func mapPieces(t *Task, worker, chunk int) {
	c := t.Node.Op.(*chain)
	p := &c.pieces[worker]
	for i := chunk * chunkPieces; i < min((chunk+1)*chunkPieces, c.grid.Pieces()); i++ {
		lo, hi := c.grid.Span(i)
		p.Index, p.At, p.Again = i, lo, false
		p.Y = t.In[0].Data[lo:hi]
		for k := range c.stages {
			y := c.between(t, worker, 0, hi-lo)
			if out := c.stages[k].out; out >= 0 {
				y = t.Out[out].Data[lo:hi]
			}
			c.apply(t, p, k, lo, hi, y)
		}
	}
}

// apply runs stage k on p.Y, the result of the stage before, for elements [lo, hi).
func (c *chain) apply(t *Task, p *Piece, k, lo, hi int, y []float32) {
	s := &c.stages[k]
	p.X, p.Other, p.Y = p.Y, nil, y
	if s.other >= 0 {
		p.Other = t.In[s.other].Data[lo:hi]
	}
	s.op.Map(&s.task, p)
}
