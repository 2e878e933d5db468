package fakequant

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
)

// TapMode says what a distortion tap does on a run.
type TapMode int

// Modes of a tap.
const (
	Off     TapMode = iota // nothing
	Record                 // keep the output
	Compare                // add Weight*mean((y-record)^2) to the loss
)

// tap compares the output of a BatchNorm with the one of an earlier run of the same batch.
type tap struct {
	mode    TapMode
	weight  float32
	record  []float32 // grows on first use: layers that are never compared cost no memory
	size    int       // elements recorded; 0 if nothing fits
	loss    float64   // mean((y-record)^2) of the last compared run
	partial []float64
}

// active reports whether a run compares: the record must be of a run of the same size.
func (p *tap) active(n int) bool { return p.mode == Compare && p.size == n && n > 0 }

// forward records or compares t.Out.
func (p *tap) forward(t *engine.Task) {
	y := t.Out[0].Data
	p.loss = 0
	switch {
	case p.mode == Record:
		if cap(p.record) < len(y) {
			p.record = make([]float32, len(y))
		}
		p.record, p.size = p.record[:len(y)], len(y)
		t.Parallel(engine.Blocks(len(y)), func(t *engine.Task, i int) {
			lo, hi := engine.Span(i, len(t.Out[0].Data))
			copy(t.Node.Op.(*SwitchNorm).tap.record[lo:hi], t.Out[0].Data[lo:hi])
		})
	case p.active(len(y)):
		blocks := engine.Blocks(len(y))
		if cap(p.partial) < blocks {
			p.partial = make([]float64, blocks)
		}
		p.partial = p.partial[:blocks]
		t.Parallel(blocks, func(t *engine.Task, i int) {
			p := &t.Node.Op.(*SwitchNorm).tap
			lo, hi := engine.Span(i, len(t.Out[0].Data))
			p.partial[i] = kernel.SumSqDiff(t.Out[0].Data[lo:hi], p.record[lo:hi])
		})
		for _, v := range p.partial {
			p.loss += v
		}
		p.loss /= float64(len(y))
	}
}

// backward adds 2*weight/len(y)*(y-record) to the gradient of y = scale*x + shift. The buffer of that gradient is the
// task's to change: nobody reads it after this node.
func (p *tap) backward(t *engine.Task) {
	n, c, hw := planes(t.In[0].Shape)
	if !p.active(n * c * hw) {
		return
	}
	t.Parallel(n, func(t *engine.Task, image int) {
		p := &t.Node.Op.(*SwitchNorm).tap
		_, c, hw := planes(t.In[0].Shape)
		s := savedOf(t, c)
		k := 2 * p.weight / float32(p.size)
		for ch := range c {
			lo := (image*c + ch) * hw
			hi := lo + hw
			dy := t.GradOut[0].Data[lo:hi]
			kernel.Combine(k*s.scale[ch], t.In[0].Data[lo:hi], 1, dy, k*s.shift[ch], dy)
			kernel.Axpy(-k, p.record[lo:hi], dy)
		}
	})
}
