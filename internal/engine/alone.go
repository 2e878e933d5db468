package engine

// ForwardAlone runs a Pointwise operator that Compile could not fuse into a chain, piece by piece.
func ForwardAlone(t *Task, op Pointwise) {
	g := NewGrid(t.In[0].Shape)
	op.Prepare(t, g, false)
	var p Piece
	each := func(f func(t *Task, p *Piece)) {
		for i := range g.Pieces() {
			lo, hi := g.Span(i)
			p = Piece{Index: i, At: lo, X: t.In[0].Data[lo:hi], Y: t.Out[0].Data[lo:hi]}
			f(t, &p)
		}
	}
	if st, ok := op.(Starter); ok && !st.Started() {
		each(st.Watch)
		st.Start(t, g)
		op.Prepare(t, g, false)
	}
	each(op.Map)
	op.Conclude(t, g, false)
}

// BackwardAlone is the backward pass of ForwardAlone. If the gradient of the input is not needed, it overwrites that of
// the output.
func BackwardAlone(t *Task, op Pointwise) {
	g := NewGrid(t.In[0].Shape)
	op.Prepare(t, g, true)
	dx := t.GradIn[0].Data
	if dx == nil {
		dx = t.GradOut[0].Data
	}
	for i := range g.Pieces() {
		lo, hi := g.Span(i)
		p := Piece{Index: i, At: lo, X: t.In[0].Data[lo:hi], DY: t.GradOut[0].Data[lo:hi], DX: dx[lo:hi]}
		op.Slope(t, &p)
	}
	op.Conclude(t, g, true)
}
