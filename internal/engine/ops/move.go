package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// mover is the part that operators share which copy elements from places of the input to places of the output:
// operand 0 of the walk is x, operand 1 is y.
type mover struct {
	walk walk
	x    tensor.Shape // what walk was planned for

	forth, back func(t *engine.Task, i int) // copy chunk i; made with the walk, so that a step allocates nothing
}

// forward copies x to y along the walk that plan makes; it is made anew only when the shape of x has changed.
func (m *mover) forward(t *engine.Task, plan func(x tensor.Shape) (walk, tensor.Shape, error)) {
	if x := t.In[0].Shape; m.walk.rows == 0 || !m.x.Equal(x) {
		m.walk, _, _ = plan(x) // Infer has checked that it can be planned
		m.x = x
		m.forth = func(t *engine.Task, i int) { m.walk.copyRows(i, t.In[0].Data, 0, t.Out[0].Data, 1) }
		m.back = func(t *engine.Task, i int) { m.walk.copyRows(i, t.GradOut[0].Data, 1, t.GradIn[0].Data, 0) }
	}
	t.Parallel(m.walk.chunks(), m.forth)
}

// Retain keeps nothing.
func (*mover) Retain() engine.Retain { return engine.Retain{} }

// backward copies dy to dx. With partial, elements of x that were not copied get zero.
func (m *mover) backward(t *engine.Task, partial bool) {
	if t.GradIn[0].Data == nil {
		return
	}
	if partial {
		clear(t.GradIn[0].Data)
	}
	t.Parallel(m.walk.chunks(), m.back)
}

// copyRows copies the rows of chunk i from operand s to operand d.
func (w *walk) copyRows(i int, src []float32, s int, dst []float32, d int) {
	is, id := w.step[s], w.step[d]
	for r, end := w.rowSpan(i); r < end; r++ {
		at := w.offset(r)
		from, to := at[s], at[d]
		if is == 1 && id == 1 {
			copy(dst[to:to+w.inner], src[from:from+w.inner])
			continue
		}
		for range w.inner {
			dst[to] = src[from]
			from += is
			to += id
		}
	}
}
