package engine

import "github.com/mpqc/mpqc/internal/kernel"

// Retain keeps the inputs from which values between the stages are recomputed.
func (c *chain) Retain() Retain {
	r := Retain{In: []int{0}}
	for i := range c.stages[:len(c.stages)-1] {
		if o := c.stages[i].other; o > 0 {
			r.In = append(r.In, o)
		}
	}
	return r
}

// Backward recomputes each piece up to the input of the last stage, then passes the gradient back through all stages.
func (c *chain) Backward(t *Task) {
	c.begin(t, true)
	for i := range c.stages {
		s := &c.stages[i]
		s.op.Prepare(&s.task, c.grid, true)
	}
	t.ParallelWorker((c.grid.Pieces()+chunkPieces-1)/chunkPieces, slopePieces)
	for i := len(c.stages) - 1; i >= 0; i-- {
		s := &c.stages[i]
		s.op.Conclude(&s.task, c.grid, true)
	}
}

// slopePieces computes the gradients of a chunk of pieces.
func slopePieces(t *Task, worker, chunk int) {
	c := t.Node.Op.(*chain)
	for i := chunk * chunkPieces; i < min((chunk+1)*chunkPieces, c.grid.Pieces()); i++ {
		c.slopePiece(t, worker, i)
	}
}

// slopePiece computes the gradients of piece i.
func (c *chain) slopePiece(t *Task, worker, i int) {
	p := &c.pieces[worker]
	lo, hi := c.grid.Span(i)
	p.Index, p.At, p.Again = i, lo, true
	last := len(c.stages) - 1
	p.Y = t.In[0].Data[lo:hi]
	for k := range last {
		c.apply(t, p, k, lo, hi, c.between(t, worker, k, hi-lo))
	}
	g := c.between(t, worker, last, hi-lo)
	if dx := t.GradIn[0].Data; dx != nil {
		g = dx[lo:hi]
	}
	if p.DY = outGrad(t, c.stages[last].out, lo, hi); p.DY == nil {
		clear(g)
		p.DY = g
	}
	for k := last; k >= 0; k-- {
		s := &c.stages[k]
		if k < last {
			p.DY = g
			if more := outGrad(t, s.out, lo, hi); more != nil {
				kernel.Add(g, more, g)
			}
		}
		p.X = t.In[0].Data[lo:hi]
		if k > 0 {
			p.X = c.between(t, worker, k-1, hi-lo)
		}
		p.DX, p.DOther = g, nil
		if s.other >= 0 && t.GradIn[s.other].Data != nil {
			p.DOther = t.GradIn[s.other].Data[lo:hi]
		}
		s.op.Slope(&s.task, p)
	}
}

// outGrad returns elements [lo, hi) of the gradient of output out, nil if there is none.
func outGrad(t *Task, out, lo, hi int) []float32 {
	if out < 0 || t.GradOut[out].Data == nil {
		return nil
	}
	return t.GradOut[out].Data[lo:hi]
}
