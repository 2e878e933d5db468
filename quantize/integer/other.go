package integer

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// Operators makes operators that this package does not know. The function computes one sample: in holds the inputs of
// the node, nil where one is constant or left out; every element of every output is written. It may be called by
// several goroutines at once. A sample has so many entries in the leading axis of what the node reads.
type Operators func(n *onnx.Node, lead int) (func(in, out [][]float32) error, error)

// otherValue compiles a node with the operators from outside.
func (b *builder) otherValue(n *onnx.Node, in []operand) error {
	lead := 0
	for _, v := range n.Inputs() {
		if v == nil || v.Const() != nil {
			continue
		}
		if l := max(b.lead[v], 1); lead == 0 {
			lead = l
		} else if l != lead {
			return fmt.Errorf("%s of values with %d and %d entries to a sample", n.Op(), lead, l)
		}
	}
	f, err := b.other(n, max(lead, 1))
	if err != nil {
		return err
	}
	var slots []int
	for _, v := range n.Outputs() {
		if v == nil {
			return fmt.Errorf("an output of %s is left out", n.Op())
		}
		shape, err := b.sample(v)
		if err != nil {
			return err
		}
		b.raw[v] = b.floatSlot(shape)
		slots = append(slots, b.raw[v])
	}
	b.inexact(n)
	inputs := n.Inputs()
	b.emit(func(w *worker) {
		x, y := make([][]float32, len(in)), make([][]float32, len(slots))
		for i, o := range in {
			if v := inputs[i]; v != nil && v.Const() == nil {
				x[i] = w.floats[o.slot]
			}
		}
		for i, s := range slots {
			y[i] = w.floats[s]
		}
		if err := f(x, y); err != nil && w.err == nil {
			w.err = err
		}
	})
	return nil
}
