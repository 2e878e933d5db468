package fakequant

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// Retain keeps x for Backward.
func (*SwitchNorm) Retain() engine.Retain { return engine.Retain{In: []int{0}} }

// Backward computes dx and adds the gradients of gamma and beta.
func (o *SwitchNorm) Backward(t *engine.Task) { engine.BackwardAlone(t, o) }

// Slope copies dy to dx. Unless Conclude does so later, it also adds the tap's gradient and sums up dy by rows.
func (o *SwitchNorm) Slope(_ *engine.Task, p *engine.Piece) {
	p.PassBack()
	if o.columns.sum {
		return
	}
	for at := 0; at < len(p.X); {
		row, ch := o.grid.Row(p.At + at)
		end := min(at+o.grid.Plane, len(p.X))
		x, g := p.X[at:end], p.DX[at:end]
		if o.tap.compares {
			o.tap.slope(o.saved.scale[ch], o.saved.shift[ch], x, p.At+at, g)
		}
		o.sums[row], o.dots[row] = kernel.GradMoments(x, g, o.saved.mean[ch])
		at = end
	}
}

// Conclude ends a run. A backward run computes dx from dy and the sums, and adds the gradients of gamma and beta.
func (o *SwitchNorm) Conclude(t *engine.Task, g engine.Grid, backward bool) {
	if !backward {
		o.tap.conclude(g)
		return
	}
	dgamma, dbeta := t.Scratch[:g.C], t.Scratch[g.C:2*g.C]
	if c := &o.columns; c.sum {
		t.Parallel(c.tasks(&g), columnSlopes)
		t.Parallel(c.strips(&g), columnRows)
		t.Parallel(c.tasks(&g), columnSpread)
	} else {
		t.Parallel(g.C, addRows)
		if t.GradIn[0].Data != nil {
			t.Parallel(g.Pieces(), spreadPiece)
		}
	}
	kernel.Axpy(1, dgamma, o.current.Gamma.Grad)
	kernel.Axpy(1, dbeta, o.current.Beta.Grad)
	o.current.Gamma.Used, o.current.Beta.Used = true, true
}

// addRows computes the gradients of gamma and beta of channel ch, and p, q, r of its dx = p*dy + q*x + r.
func addRows(t *engine.Task, ch int) {
	o := t.Node.Op.(*SwitchNorm)
	g, s := &o.grid, &o.saved
	sum, dot := o.channel(ch)
	dgamma, dbeta := float32(dot*float64(s.inv[ch])), float32(sum)
	t.Scratch[ch], t.Scratch[g.C+ch] = dgamma, dbeta
	slopes := t.Scratch[2*g.C+3*ch:]
	slopes[0], slopes[1], slopes[2] = kernel.NormSlopes(float32(g.N*g.Plane), s.mean[ch], s.inv[ch], o.current.Gamma.Data[ch], dgamma, dbeta, !t.Training)
}

// spreadPiece computes piece i of dx from x and dy; dx holds dy.
func spreadPiece(t *engine.Task, i int) {
	o := t.Node.Op.(*SwitchNorm)
	g := &o.grid
	for at, hi := g.Span(i); at < hi; {
		_, ch := g.Row(at)
		end := min(at+g.Plane, hi)
		x, dx, slopes := t.In[0].Data[at:end], t.GradIn[0].Data[at:end], t.Scratch[2*g.C+3*ch:]
		if t.Training {
			kernel.Combine(slopes[0], dx, slopes[1], x, slopes[2], dx)
		} else {
			kernel.Scale(slopes[0], dx, dx)
		}
		at = end
	}
}
