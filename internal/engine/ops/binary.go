package ops

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// chunk is the number of elements of a row that pass through a buffer at a time where a gradient is summed over a
// broadcast dimension.
const chunk = 256

// rowFunc computes y[k] from a[k*ia] and b[k*ib].
type rowFunc func(a []float32, ia int, b []float32, ib int, y []float32)

// slopeFunc computes g[k], the gradient of one operand, from dy[k], a[k*ia] and b[k*ib].
type slopeFunc func(dy, a []float32, ia int, b []float32, ib int, g []float32)

// binary is the part that Add, Sub, Mul and Div share: numpy broadcasting of two operands.
type binary struct {
	value  rowFunc
	slopes [2]slopeFunc
	retain []int // inputs that the slopes read
	which  int   // operand whose gradient is being computed

	walk walk         // operand 0 is a, 1 is b, 2 is y
	a, b tensor.Shape // what walk was planned for

	tasks [4]func(t *engine.Task, i int) // forward and backward, each flat and by rows; made with the walk
}

// Infer broadcasts.
func (o *binary) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if err := arity(in, 2, 2); err != nil {
		return nil, err
	}
	out, err := tensor.Broadcast(in[0], in[1])
	if err != nil {
		return nil, err
	}
	_, err = binaryWalk(in[0], in[1], out)
	return []tensor.Shape{out}, err
}

func binaryWalk(a, b, y tensor.Shape) (walk, error) {
	return newWalk(y, nil, broadcastStrides(a, y), broadcastStrides(b, y), y.Strides())
}

// Forward computes y.
func (o *binary) Forward(t *engine.Task) {
	o.plan(t.In[0].Shape, t.In[1].Shape)
	if o.walk.rows == 1 && o.walk.step == [operands]int{1, 1, 1} { // one long row: cut it instead
		t.Parallel(engine.Blocks(len(t.Out[0].Data)), o.tasks[0])
		return
	}
	t.Parallel(o.walk.chunks(), o.tasks[1])
}

// valueFlat computes block i of y where nothing is broadcast.
func (o *binary) valueFlat(t *engine.Task, i int) {
	o.value(block(t.In[0].Data, i), 1, block(t.In[1].Data, i), 1, block(t.Out[0].Data, i))
}

// valueRows computes the rows of part i of y.
func (o *binary) valueRows(t *engine.Task, i int) {
	for r, hi := o.walk.rowSpan(i); r < hi; r++ {
		at := o.walk.offset(r)
		o.value(t.In[0].Data[at[0]:], o.walk.step[0], t.In[1].Data[at[1]:], o.walk.step[1], t.Out[0].Data[at[2]:at[2]+o.walk.inner])
	}
}

// plan fills the walk if the shapes have changed. Infer has checked that it can be planned.
func (o *binary) plan(a, b tensor.Shape) {
	if o.a.Equal(a) && o.b.Equal(b) && o.walk.rows > 0 {
		return
	}
	y, _ := tensor.Broadcast(a, b)
	o.walk, _ = binaryWalk(a, b, y)
	o.a, o.b = a, b
	o.tasks = [4]func(t *engine.Task, i int){o.valueFlat, o.valueRows, o.slopeFlat, o.slopeRows}
}

// Retain keeps the operands that the gradients read.
func (o *binary) Retain() engine.Retain { return engine.Retain{In: o.retain} }

// Backward computes the gradients that are wanted, summed over broadcast dimensions.
func (o *binary) Backward(t *engine.Task) {
	o.plan(t.In[0].Shape, t.In[1].Shape)
	for i := range o.slopes {
		if t.GradIn[i].Data == nil {
			continue
		}
		o.which = i
		switch {
		case o.walk.rows == 1 && o.walk.step == [operands]int{1, 1, 1}:
			t.Parallel(engine.Blocks(len(t.GradIn[i].Data)), o.tasks[2])
		case o.walk.injective(i):
			clear(t.GradIn[i].Data)
			t.Parallel(o.walk.chunks(), o.tasks[3])
		default: // rows add to the same place: one after the other
			clear(t.GradIn[i].Data)
			for c := range o.walk.chunks() {
				o.slopeRows(t, c)
			}
		}
	}
}

// slopeFlat computes block i of a gradient where nothing is broadcast.
func (o *binary) slopeFlat(t *engine.Task, i int) {
	lo, hi := engine.Span(i, len(t.GradIn[o.which].Data))
	o.slopes[o.which](t.GradOut[0].Data[lo:hi], from(t.In[0].Data, lo), 1, from(t.In[1].Data, lo), 1, t.GradIn[o.which].Data[lo:hi])
}

// ScratchFloats is one buffer of a chunk for every part of the walk.
func (o *binary) ScratchFloats(in, out []tensor.Shape, _ int) int {
	w, err := binaryWalk(in[0], in[1], out[0])
	if err != nil {
		return 0 // Infer has reported it
	}
	return w.chunks() * chunk
}

// slopeRows computes the gradient for the rows of part i: stored where each element of the operand is read once,
// else added to a cleared gradient. Along a row the operand has step 1, or 0 where it is broadcast.
func (o *binary) slopeRows(t *engine.Task, i int) {
	w, dst, buf := &o.walk, t.GradIn[o.which].Data, t.Scratch[i*chunk:(i+1)*chunk]
	single, step := w.injective(o.which), w.step[o.which]
	for r, end := w.rowSpan(i); r < end; r++ {
		at := w.offset(r)
		to := at[o.which]
		if single && step == 1 {
			o.slope(t, at, 0, dst[to:to+w.inner])
			continue
		}
		sum := 0.0
		for k := 0; k < w.inner; k += chunk {
			g := buf[:min(chunk, w.inner-k)]
			o.slope(t, at, k, g)
			if step == 0 {
				sum += kernel.Sum(g)
				continue
			}
			d := dst[to+k : to+k+len(g)]
			kernel.Add(d, g, d)
		}
		if step == 0 {
			dst[to] += float32(sum)
		}
	}
}

// slope computes the gradient for len(g) elements from element k of the row that begins at at.
func (o *binary) slope(t *engine.Task, at [operands]int, k int, g []float32) {
	s := o.walk.step
	o.slopes[o.which](t.GradOut[0].Data[at[2]+k:at[2]+k+len(g)], from(t.In[0].Data, at[0]+k*s[0]), s[0],
		from(t.In[1].Data, at[1]+k*s[1]), s[1], g)
}

// from is x from element i on; nil stays nil, since operands that no gradient reads are not retained.
func from(x []float32, i int) []float32 {
	if x == nil {
		return nil
	}
	return x[i:]
}

// passSlope is g = dy.
func passSlope(dy, _ []float32, _ int, _ []float32, _ int, g []float32) { copy(g, dy) }
