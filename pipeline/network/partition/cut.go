package partition

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// cut is the state of partitioning a model.
type cut struct {
	model    *onnx.Model
	problems []decode.Problem
	blocked  []decode.Problem    // problems in front of a layer
	layer    map[*onnx.Node]bool // layers that are not excluded
	aboveCut map[*onnx.Node]bool // nodes with a layer behind them, which therefore stay in the core
	behind   map[*onnx.Node]bool // nodes that depend on a layer
	tail     map[*onnx.Node]bool // nodes that move to the tail
}

// newCut decides for every node of m whether it belongs to the tail. problems are the nodes that the engine refuses,
// exclude the patterns of layers that stay float. It is an error if exclude is invalid.
func newCut(m *onnx.Model, problems []decode.Problem, exclude []string) (*cut, error) {
	layers, err := quantize.LayerNodes(m.Graph, exclude)
	if err != nil {
		return nil, err
	}
	c := &cut{
		model: m, problems: problems, layer: map[*onnx.Node]bool{}, aboveCut: map[*onnx.Node]bool{},
		behind: map[*onnx.Node]bool{}, tail: map[*onnx.Node]bool{},
	}
	for _, n := range layers {
		c.layer[n] = true
	}
	nodes := m.Graph.Nodes()
	for _, n := range nodes {
		c.behind[n] = slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return c.layer[v.Producer()] || c.behind[v.Producer()] })
	}
	for _, n := range slices.Backward(nodes) {
		c.aboveCut[n] = slices.ContainsFunc(readers(n), func(r *onnx.Node) bool { return c.layer[r] || c.aboveCut[r] })
	}
	lacking := map[*onnx.Node]bool{}
	for _, p := range problems {
		n := m.Graph.Node(p.Node)
		lacking[n] = true
		if c.aboveCut[n] {
			c.blocked = append(c.blocked, p)
		}
	}
	for _, n := range nodes {
		c.tail[n] = !c.aboveCut[n] && (lacking[n] || slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return c.tail[v.Producer()] }))
	}
	if len(c.blocked) == 0 && len(layers) > 0 {
		c.plain()
		c.scores()
		c.narrow()
	}
	return c, nil
}

// reads lists all values that a node reads, those of its subgraphs included.
func reads(n *onnx.Node) []*onnx.Value {
	return slices.DeleteFunc(append(n.Inputs(), n.Captures()...), func(v *onnx.Value) bool { return v == nil })
}

// readers lists the nodes that read an output of n.
func readers(n *onnx.Node) []*onnx.Node {
	var list []*onnx.Node
	for _, v := range n.Outputs() {
		if v == nil {
			continue
		}
		for _, u := range v.Uses() {
			list = append(list, u.Node)
		}
	}
	return list
}

// scores moves a final Softmax into the tail. Training, search and losses work on the logits in front of it.
func (c *cut) scores() {
	for _, n := range slices.Backward(c.model.Graph.Nodes()) {
		if lastSoftmax(n) && c.behind[n] && c.onlyTail(n) {
			c.tail[n] = true
		}
	}
}

// plain moves nodes into the tail that lead to an output without passing a layer, such as constants and functions of
// the input alone. There is nothing to train in them.
func (c *cut) plain() {
	weighs := map[*onnx.Node]bool{} // a layer, excluded perhaps, or behind one
	nodes := c.model.Graph.Nodes()
	for _, n := range nodes {
		weighs[n] = quantize.IsLayerOp(n.Op()) || slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return weighs[v.Producer()] })
	}
	for _, n := range slices.Backward(nodes) {
		if !weighs[n] && !c.aboveCut[n] && c.onlyTail(n) {
			c.tail[n] = true
		}
	}
}

// onlyTail reports whether no node of the core reads an output of n.
func (c *cut) onlyTail(n *onnx.Node) bool {
	return !slices.ContainsFunc(readers(n), func(r *onnx.Node) bool { return !c.tail[r] })
}

// narrow moves the cut towards the layers until a single value crosses it. If that cannot be reached, nothing changes.
//
// Training works with several values at the cut, too. A single value from which all outputs follow carries the same
// information, though, and needs no weights between losses. It also keeps views and activation functions behind it,
// which have no weights, out of comparisons of policies.
func (c *cut) narrow() {
	cross := map[*onnx.Value]bool{}
	for _, v := range c.crossing() {
		cross[v] = true
	}
	if len(cross) < 2 {
		return
	}
	kept := maps.Clone(c.tail)
	for _, n := range slices.Backward(c.model.Graph.Nodes()) {
		if c.tail[n] || !c.behind[n] || c.layer[n] || !c.onlyTail(n) {
			continue
		}
		c.move(n, cross)
		if len(cross) == 1 {
			return
		}
	}
	c.tail = kept
}

// move moves a node that only the tail reads into the tail, and updates the set cross of values at the cut.
func (c *cut) move(n *onnx.Node, cross map[*onnx.Value]bool) {
	c.tail[n] = true
	for _, v := range n.Outputs() {
		delete(cross, v)
	}
	for _, v := range reads(n) {
		if !cross[v] && c.crosses(v) {
			cross[v] = true
		}
	}
}

// crossing lists the values that the core passes to the tail or to an output of the model, in document order.
func (c *cut) crossing() []*onnx.Value {
	var list []*onnx.Value
	for _, n := range c.model.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && c.crosses(v) {
				list = append(list, v)
			}
		}
	}
	return list
}

// crosses reports whether the core computes v and passes it to the tail or to an output of the model.
func (c *cut) crosses(v *onnx.Value) bool {
	n := v.Producer()
	if n == nil || c.tail[n] {
		return false
	}
	return v.IsOutput() || (c.behind[n] || c.layer[n]) && slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool { return c.tail[u.Node] })
}

// divide builds the documents of core and tail. It is an error if a value at the cut is not float32 or has no known
// shape.
func (c *cut) divide() (*Partition, error) {
	p := &Partition{Core: c.model}
	crossing, outputs := c.crossing(), c.model.Graph.Outputs()
	tail := slices.DeleteFunc(c.model.Graph.Nodes(), func(n *onnx.Node) bool { return !c.tail[n] })
	uncomputed := slices.ContainsFunc(outputs, func(v *onnx.Value) bool { return v.Producer() == nil })
	if len(tail) == 0 && !uncomputed || len(crossing) == 0 {
		return p, nil
	}
	p.features = slices.ContainsFunc(tail, func(n *onnx.Node) bool { return quantize.IsLayerOp(n.Op()) })
	for _, v := range crossing {
		if s, known := v.Shape(); !known || v.DType() != tensor.Float32 {
			return nil, fmt.Errorf("the network cannot be cut at %q, %s of shape %s: export the model without what follows it", v.Name(), v.DType(), s)
		}
	}
	inputs, err := c.tailInputs(tail, crossing)
	if err != nil {
		return nil, err
	}
	if p.Core, err = c.model.Extract(onnx.Names(c.model.Graph.Inputs()), onnx.Names(crossing)); err != nil {
		return nil, err
	}
	if p.tail, err = c.model.Extract(inputs, onnx.Names(outputs)); err != nil {
		return nil, err
	}
	if pass.FixedBatch(p.Core) != nil {
		return p, pass.Normalise(p.Core)
	}
	return p, nil
}

// tailInputs lists the inputs of the tail: the values at the cut, and graph inputs that it reads directly.
func (c *cut) tailInputs(tail []*onnx.Node, crossing []*onnx.Value) ([]string, error) {
	inputs := onnx.Names(crossing)
	seen := map[*onnx.Value]bool{}
	for _, v := range crossing {
		seen[v] = true
	}
	var follow func(v *onnx.Value)
	follow = func(v *onnx.Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		if v.IsInput() {
			inputs = append(inputs, v.Name())
		}
		if p := v.Producer(); p != nil {
			for _, x := range reads(p) {
				follow(x)
			}
		}
	}
	for _, n := range tail {
		for _, v := range reads(n) {
			follow(v)
		}
	}
	for _, v := range c.model.Graph.Outputs() {
		if v.Producer() == nil {
			follow(v)
		}
	}
	return inputs, nil
}
