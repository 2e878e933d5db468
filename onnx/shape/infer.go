// Package shape infers element types and shapes of the values of an ONNX graph. It is pure: it runs no operator, but
// follows the integers (shapes, axes, pads) that graphs compute with, as far as they are known without a batch size.
package shape

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// Infer walks the nodes, which must be in topological order, and sets the types of their outputs. The leading batch
// dimension stays -1. Outputs of operators without a rule keep what the document says of them; what follows from an
// unknown shape stays unknown, too. An operator that cannot be applied to its inputs is an error that names the node.
func Infer(g *onnx.Graph) error {
	s := &state{rules: rules(), facts: map[*onnx.Value]fact{}}
	for _, n := range g.Nodes() {
		if err := s.infer(n); err != nil {
			return fmt.Errorf("infer shape of %s: %w", n, err)
		}
	}
	return nil
}

// fact is what is known of a value: its type, its shape (nil: not even the rank) and, for small tensors of integers
// with a known shape, the elements.
type fact struct {
	dtype tensor.DType
	shape tensor.Shape
	ints  []int64 // nil if not followed; single elements may be unknown or batch
}

func (f fact) ranked() bool { return f.shape != nil }

// call is one application of an operator; the rule fills out.
type call struct {
	node *onnx.Node
	in   []fact
	out  []fact
}

// rule infers the outputs of a call. It leaves them alone where inputs are not known well enough.
type rule func(c *call) error

type state struct {
	rules map[string]rule
	facts map[*onnx.Value]fact
}

// infer applies the rule of n's operator and records the outputs.
func (s *state) infer(n *onnx.Node) error {
	r := s.rules[n.Op()]
	if r == nil || n.Domain() != "" {
		return nil
	}
	c := &call{node: n, out: make([]fact, len(n.Outputs()))}
	for _, v := range n.Inputs() {
		c.in = append(c.in, s.fact(v))
	}
	if err := r(c); err != nil {
		return err
	}
	for i, v := range n.Outputs() {
		if v != nil {
			s.record(v, c.out[i])
		}
	}
	return nil
}

// fact looks a value up: what was inferred, else what the document says.
func (s *state) fact(v *onnx.Value) fact {
	if v == nil {
		return fact{}
	}
	if f, ok := s.facts[v]; ok {
		return f
	}
	f := fact{dtype: v.DType()}
	if shape, ok := v.Shape(); ok {
		f.shape = shape
	}
	if t := v.Const(); t != nil {
		f.ints = elements(t)
	}
	s.facts[v] = f
	return f
}

// record sets the type of an output. A dimension that inference leaves open keeps the number the document gives,
// but for the leading one: a batch size written there may be stale.
func (s *state) record(v *onnx.Value, f fact) {
	old := s.fact(v)
	if f.dtype == tensor.Undefined {
		f.dtype = old.dtype
	}
	if f.shape == nil {
		f.shape = old.shape
	} else if len(f.shape) == len(old.shape) {
		for i := 1; i < len(f.shape); i++ {
			if f.shape[i] < 0 {
				f.shape[i] = old.shape[i]
			}
		}
	}
	s.facts[v] = f
	if f.dtype != tensor.Undefined || f.shape != nil {
		v.SetType(f.dtype, f.shape)
	}
}

// input is input i, the zero fact if it is omitted.
func (c *call) input(i int) fact {
	if i >= len(c.in) {
		return fact{}
	}
	return c.in[i]
}

// set fills output i, if the node has it. The shape is copied.
func (c *call) set(i int, dtype tensor.DType, shape tensor.Shape) {
	if i < len(c.out) {
		c.out[i].dtype, c.out[i].shape = dtype, shape.Clone()
	}
}

// setInts fills the elements of output 0, whose shape must be set already.
func (c *call) setInts(v []int64) {
	if len(c.out) > 0 && len(v) <= maxInts && c.out[0].shape.Numel() == len(v) {
		c.out[0].ints = v
	}
}

// axes brings a list of axes into 0..rank-1 and marks them.
func axes(list []int64, rank int) ([]bool, error) {
	marked := make([]bool, rank)
	for _, a := range list {
		i, err := tensor.Axis(a, rank)
		if err != nil {
			return nil, err
		}
		if marked[i] {
			return nil, fmt.Errorf("axis %d stands twice", a)
		}
		marked[i] = true
	}
	return marked, nil
}

// listArg reads a list of integers that stands in an attribute in older operator sets and in input i in newer ones.
// known is false if the input is there but its elements are not known; given is false if there is neither.
func (c *call) listArg(name string, i int) (list []int64, given, known bool) {
	if c.node.Has(name) {
		return c.node.Ints(name), true, true
	}
	if c.node.Input(i) == nil {
		return nil, false, true
	}
	v := c.input(i).ints
	if v == nil {
		return nil, true, false
	}
	for _, x := range v {
		if !isKnown(x) {
			return v, true, false
		}
	}
	return v, true, true
}
