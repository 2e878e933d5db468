package engine

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine/grad"
	"github.com/mpqc/mpqc/internal/tensor"
)

// plan is what Compile computes once: the nodes that run, values by index, storage classes, the reverse sweep, and the
// places of all buffers. With F nodes, time t < F runs node t forward and time 2F-1-t runs it backward.
type plan struct {
	graph  *Graph
	opts   Options
	values []*Value
	index  map[*Value]int
	class  []int // storage class per value
	root   []int // per class: the value that owns the storage
	nodes  []planned
	tape   *grad.Tape // nil without Options.Training
	end    int        // time after the last step

	data  []*block // per class: forward elements; nil for constants and parameters
	grads []*block // per class; nil where there is none, for parameters, and for classes seeded by an output
	seeds []*block // per graph output: the gradient that the caller writes; nil where nothing needs it
	size  int      // of the arena in floats
}

// planned is a node that runs.
type planned struct {
	node    *Node
	in, out []int // value indices, -1 omitted
	view    bool
	step    *grad.Step // nil if it does not run backward
	saved   *block
	scratch [2]*block // forward, backward
	temps   []*block  // per input: the temporary of an accumulated gradient
}

// newPlan plans nodes and the reverse sweep of a graph, without buffers.
func newPlan(g *Graph, o Options) (*plan, error) {
	p := &plan{graph: g, opts: o, index: map[*Value]int{}}
	for _, v := range g.Inputs {
		p.add(v)
	}
	nodes := reaching(g, o.Keep)
	if !o.unfused {
		nodes = fuse(nodes, slices.Concat(g.Outputs, o.Keep))
	}
	for _, n := range nodes {
		pn, err := p.connect(n)
		if err != nil {
			return nil, err
		}
		p.nodes = append(p.nodes, pn)
	}
	for _, list := range [][]*Value{g.Outputs, o.Keep} {
		for _, v := range list {
			if _, ok := p.index[v]; !ok && !v.IsConst() && v.Param == nil {
				return nil, fmt.Errorf("compile graph: no node produces value %q", v.Name)
			}
			p.add(v)
		}
	}
	p.end = len(p.nodes)
	if o.Training {
		p.end *= 2
		if err := p.planTape(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// reaching lists the nodes of g from which an output or a kept value can be reached, in graph order.
func reaching(g *Graph, keep []*Value) []*Node {
	mark := map[*Value]bool{}
	for _, list := range [][]*Value{g.Outputs, keep} {
		for _, v := range list {
			mark[v] = true
		}
	}
	var list []*Node
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		wanted := false
		for _, v := range n.Outputs {
			wanted = wanted || mark[v]
		}
		if !wanted {
			continue
		}
		list = append(list, n)
		for _, v := range n.Inputs {
			mark[v] = true
		}
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// add gives v an index and a class of its own, unless it has one.
func (p *plan) add(v *Value) int {
	if i, ok := p.index[v]; ok {
		return i
	}
	i := len(p.values)
	p.index[v] = i
	p.values = append(p.values, v)
	p.class = append(p.class, len(p.root))
	p.root = append(p.root, i)
	return i
}

// connect indexes the values of a node. Its inputs must be indexed: the graph is in topological order.
func (p *plan) connect(n *Node) (planned, error) {
	pn := planned{node: n}
	for i, v := range n.Inputs {
		if v == nil {
			pn.in = append(pn.in, -1)
			continue
		}
		if _, ok := p.index[v]; !ok && !v.IsConst() && v.Param == nil {
			return pn, fmt.Errorf("compile node %q (%s): nothing before it produces input %d, %q", n.Name, n.Op.Type(), i, v.Name)
		}
		pn.in = append(pn.in, p.add(v))
	}
	for _, v := range n.Outputs {
		if _, ok := p.index[v]; ok {
			return pn, fmt.Errorf("compile node %q (%s): output %q has another producer", n.Name, n.Op.Type(), v.Name)
		}
		pn.out = append(pn.out, p.add(v))
	}
	if w, ok := n.Op.(Viewer); ok && w.View() && len(pn.in) > 0 && pn.in[0] >= 0 && len(pn.out) > 0 {
		pn.view = true
		p.class[pn.out[0]] = p.class[pn.in[0]] // the class made for the output stays empty
	}
	return pn, nil
}

// planTape plans the reverse sweep.
func (p *plan) planTape() error {
	g := grad.Graph{Class: p.class, Param: make([]bool, len(p.root))}
	for c, v := range p.root {
		g.Param[c] = p.values[v].Param != nil
	}
	for _, v := range p.graph.Outputs {
		g.Outputs = append(g.Outputs, p.index[v])
	}
	for _, pn := range p.nodes {
		_, diff := pn.node.Op.(Differentiable)
		owner, owns := pn.node.Op.(ParamOwner)
		g.Nodes = append(g.Nodes, grad.Node{
			Name: pn.node.Name, In: pn.in, Out: pn.out,
			Owns: owns && len(owner.Params()) > 0, View: pn.view, Differentiable: diff,
		})
	}
	tape, err := grad.Plan(g)
	if err != nil {
		return err
	}
	p.tape = tape
	for i := range tape.Steps {
		s := &tape.Steps[i]
		p.nodes[s.Node].step = s
	}
	return nil
}

// shapes resolves the shape of every value for a batch of n.
func (p *plan) shapes(n int) ([]tensor.Shape, error) {
	s := make([]tensor.Shape, len(p.values))
	for i, v := range p.values {
		if v.Producer == nil {
			s[i] = v.Shape.WithBatch(n)
			if s[i].Numel() < 0 {
				return nil, fmt.Errorf("compile graph: value %q has unknown shape %s", v.Name, v.Shape)
			}
		}
	}
	for _, pn := range p.nodes {
		out, err := pn.node.Op.Infer(pn.node, pick(s, pn.in))
		if err != nil {
			return nil, fmt.Errorf("infer shape of node %q (%s): %w", pn.node.Name, pn.node.Op.Type(), err)
		}
		if len(out) < len(pn.out) {
			return nil, fmt.Errorf("infer shape of node %q (%s): %d outputs, %d wanted", pn.node.Name, pn.node.Op.Type(), len(out), len(pn.out))
		}
		for i, v := range pn.out {
			if out[i].Numel() < 0 {
				return nil, fmt.Errorf("infer shape of node %q (%s): output %d is %s", pn.node.Name, pn.node.Op.Type(), i, out[i])
			}
			s[v] = out[i]
		}
		if pn.view && s[pn.in[0]].Numel() != s[pn.out[0]].Numel() {
			return nil, fmt.Errorf("infer shape of node %q (%s): a view of %s cannot be %s", pn.node.Name, pn.node.Op.Type(), s[pn.in[0]], s[pn.out[0]])
		}
	}
	return s, nil
}

// pick selects shapes by index; an omitted input has a nil shape.
func pick(s []tensor.Shape, idx []int) []tensor.Shape {
	out := make([]tensor.Shape, len(idx))
	for i, v := range idx {
		if v >= 0 {
			out[i] = s[v]
		}
	}
	return out
}
