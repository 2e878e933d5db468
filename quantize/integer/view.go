package integer

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// move is an operator that moves elements: y[i] = x[from[i]], padding where from[i] < 0. Without from it copies, and
// with pool it takes the largest of a window.
type move struct {
	from []int32
	pool *kernel.PoolShape
}

// view compiles an operator that moves codes.
func (b *builder) view(n *onnx.Node, x coded) error {
	out := n.Output(0)
	shape, err := b.sample(out)
	if err != nil {
		return err
	}
	m, err := newMove(n, x.shape, shape)
	if err != nil {
		return err
	}
	to := b.codeSlot(shape, x.grid)
	b.coded[out] = to
	b.emit(func(w *worker) { run(m, w.codes[x.slot], w.codes[to.slot], 0, x.grid.Zero) })
	return nil
}

func run[T uint8 | float32](m move, x, y []T, low, padding T) {
	switch {
	case m.pool != nil:
		maxPool(*m.pool, x, y, low)
	case m.from == nil:
		copy(y, x)
	default:
		for i, at := range m.from {
			y[i] = padding
			if at >= 0 {
				y[i] = x[at]
			}
		}
	}
}

func newMove(n *onnx.Node, x, y tensor.Shape) (move, error) {
	if n.Traits().Has(op.InOrder) || n.Op() == "Identity" {
		if x.Numel() != y.Numel() {
			return move{}, fmt.Errorf("%s of %s to %s", n.Op(), x, y)
		}
		return move{}, nil
	}
	switch n.Op() {
	case "MaxPool":
		if len(x) != 4 || len(y) != 4 || n.Str("auto_pad", "NOTSET") != "NOTSET" {
			return move{}, fmt.Errorf("MaxPool of %s to %s is not 2-D with explicit pads", x, y)
		}
		s := poolShape(n, x, y)
		return move{pool: &s}, nil
	case "Transpose":
		return transpose(n, x, y)
	case "Slice", "Pad":
		if mode := n.Str("mode", "constant"); mode != "constant" {
			return move{}, fmt.Errorf("%s in mode %s is unknown to the reference", n.Op(), mode)
		}
		origin, step, err := window1D(n, x)
		if err != nil {
			return move{}, err
		}
		return move{from: affineIndex(x, y, origin, step)}, nil
	default:
		return move{}, fmt.Errorf("%s is no view", n.Op())
	}
}

// affineIndex maps element o of y to origin + step*o of x in every dimension, -1 outside.
func affineIndex(x, y tensor.Shape, origin, step []int) []int32 {
	from := make([]int32, y.Numel())
	at := make([]int, len(y))
	for i := range from {
		index, inside := 0, true
		for d := range at {
			p := origin[d] + step[d]*at[d]
			inside = inside && p >= 0 && p < x[d]
			index = index*x[d] + p
		}
		from[i] = -1
		if inside {
			from[i] = int32(index)
		}
		advance(at, y)
	}
	return from
}

// advance counts at up by one in row-major order.
func advance(at []int, shape tensor.Shape) {
	for d := len(at) - 1; d >= 0; d-- {
		if at[d]++; at[d] < shape[d] {
			return
		}
		at[d] = 0
	}
}

func transpose(n *onnx.Node, x, y tensor.Shape) (move, error) {
	perm := n.Ints("perm")
	if perm == nil {
		for d := len(x) - 1; d >= 0; d-- {
			perm = append(perm, int64(d))
		}
	}
	if len(perm) != len(x) || len(y) != len(x) {
		return move{}, fmt.Errorf("permutation %v does not fit %s", perm, x)
	}
	stride := make([]int, len(x))
	for d, s := len(x)-1, 1; d >= 0; d-- {
		stride[d] = s
		s *= x[d]
	}
	from := make([]int32, y.Numel())
	at := make([]int, len(y))
	for i := range from {
		index := 0
		for d, p := range perm {
			index += at[d] * stride[p]
		}
		from[i] = int32(index)
		advance(at, y)
	}
	return move{from: from}, nil
}

// window1D reads where each dimension of a Slice or Pad starts in its input, and in what steps it goes.
func window1D(n *onnx.Node, x tensor.Shape) (origin, step []int, err error) {
	origin, step = make([]int, len(x)), make([]int, len(x))
	for d := range step {
		step[d] = 1
	}
	if n.Op() == "Pad" {
		pads, err := ints(n, 1, nil)
		if err != nil {
			return nil, nil, err
		}
		axes, err := ints(n, 3, every(len(x)))
		if err != nil || len(pads) != 2*len(axes) {
			return nil, nil, fmt.Errorf("pads %v do not fit axes %v: %w", pads, axes, err)
		}
		for i, a := range axes {
			origin[(int(a)+len(x))%len(x)] = -int(pads[i])
		}
		return origin, step, nil
	}
	starts, err := ints(n, 1, nil)
	if err != nil {
		return nil, nil, err
	}
	axes, err := ints(n, 3, every(len(starts)))
	if err != nil {
		return nil, nil, err
	}
	steps, err := ints(n, 4, nil)
	if err != nil || len(axes) != len(starts) || (steps != nil && len(steps) != len(starts)) {
		return nil, nil, fmt.Errorf("starts %v, axes %v and steps %v do not fit: %w", starts, axes, steps, err)
	}
	for i, a := range axes {
		d := (int(a) + len(x)) % len(x)
		if steps != nil {
			step[d] = int(steps[i])
		}
		at := starts[i]
		if at < 0 {
			at += int64(x[d])
		}
		// A start beyond the end is the end; going backwards it is the last element.
		last := int64(x[d])
		if step[d] < 0 {
			last--
		}
		origin[d] = int(max(0, min(at, last)))
	}
	return origin, step, nil
}

func every(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

// ints reads a constant integer input, def where it is omitted.
func ints(n *onnx.Node, i int, def []int64) ([]int64, error) {
	v := n.Input(i)
	if v == nil {
		return def, nil
	}
	if v.Const() == nil {
		return nil, fmt.Errorf("input %q is not constant", v.Name())
	}
	return tensor.Ints(v.Const())
}
