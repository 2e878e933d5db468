// Package grad plans the reverse sweep over a dataflow graph: which nodes run backward, in which order, and where each
// of them puts the gradients of its inputs. It works on indices alone and knows no operator and no buffer.
//
// Terms: a node is included if one of its outputs reaches an output of the graph. It is useful if a parameter is at or
// before it. A node runs backward if it is both. A class is the set of values that share storage (a value and its
// views); they also share one gradient, the sum over all their consumers.
package grad

import "fmt"

// Graph is what the sweep needs to know, nodes in topological order.
type Graph struct {
	Class   []int  // per value: its class
	Param   []bool // per class: whether it is a trainable parameter
	Outputs []int  // values whose gradient the caller supplies
	Nodes   []Node
}

// Node lists value indices, -1 for an omitted input.
type Node struct {
	Name           string
	In, Out        []int
	Owns           bool // the operator owns parameters
	View           bool // output 0 has the storage of input 0
	Differentiable bool
}

// Action says where a backward puts the gradient of one input.
type Action uint8

// Actions.
const (
	Skip       Action = iota // nobody needs it
	Write                    // the first contribution: straight into the gradient of the class
	Accumulate               // a later one, or a parameter's: into a temporary that is added
	Share                    // a view: the gradient of the output is the gradient of the input
)

// Step is one node of the sweep.
type Step struct {
	Node int
	In   []Action // per input
	Out  []bool   // per output: whether its gradient exists
}

// Tape is the planned sweep.
type Tape struct {
	Steps []Step // in the order in which they run
	Needs []bool // per class: whether it has a gradient
	// Seeds are indices into Graph.Outputs whose gradient has to be added: that of a parameter, or of a class that an
	// earlier output seeded.
	Seeds []int
}

// Plan prunes and orders the sweep. It is an error that names the node if a gradient must pass an operator that is not
// differentiable.
func Plan(g Graph) (*Tape, error) {
	included := g.included()
	needs := g.useful(included)
	t := &Tape{Needs: needs}
	filled := make([]bool, len(g.Param))
	for i, v := range g.Outputs {
		if c := g.Class[v]; !needs[c] {
			continue
		} else if filled[c] || g.Param[c] {
			t.Seeds = append(t.Seeds, i)
		} else {
			filled[c] = true
		}
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if !g.active(n, included, needs) {
			continue
		}
		if !n.Differentiable {
			return nil, fmt.Errorf("plan backward of node %q: its operator has no gradient", n.Name)
		}
		t.Steps = append(t.Steps, g.step(i, included, needs, filled))
	}
	return t, nil
}

// included marks the values that reach an output.
func (g *Graph) included() []bool {
	mark := make([]bool, len(g.Class))
	for _, v := range g.Outputs {
		mark[v] = true
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if !anyOf(n.Out, mark) {
			continue
		}
		for _, v := range n.In {
			if v >= 0 {
				mark[v] = true
			}
		}
	}
	return mark
}

// useful marks the classes that depend on a parameter, among those that reach an output.
func (g *Graph) useful(included []bool) []bool {
	needs := make([]bool, len(g.Param))
	for v, c := range g.Class {
		if g.Param[c] && included[v] {
			needs[c] = true
		}
	}
	for _, n := range g.Nodes {
		use := n.Owns
		for _, v := range n.In {
			use = use || v >= 0 && needs[g.Class[v]]
		}
		for _, v := range n.Out {
			if use && included[v] {
				needs[g.Class[v]] = true
			}
		}
	}
	return needs
}

// active reports whether a node runs backward.
func (g *Graph) active(n Node, included, needs []bool) bool {
	if !anyOf(n.Out, included) {
		return false
	}
	if n.Owns {
		return true
	}
	for _, v := range n.In {
		if v >= 0 && needs[g.Class[v]] {
			return true
		}
	}
	return false
}

// step plans the backward of node i. filled marks classes whose gradient holds a contribution.
func (g *Graph) step(i int, included, needs, filled []bool) Step {
	n := g.Nodes[i]
	s := Step{Node: i, In: make([]Action, len(n.In)), Out: make([]bool, len(n.Out))}
	for j, v := range n.Out {
		s.Out[j] = included[v] && needs[g.Class[v]]
	}
	for j, v := range n.In {
		if v < 0 || !needs[g.Class[v]] {
			continue
		}
		c := g.Class[v]
		switch {
		case n.View && j == 0:
			s.In[j] = Share
		case g.Param[c] || filled[c]:
			s.In[j] = Accumulate
		default:
			s.In[j], filled[c] = Write, true
		}
	}
	return s
}

// anyOf reports whether any value is marked.
func anyOf(values []int, mark []bool) bool {
	for _, v := range values {
		if mark[v] {
			return true
		}
	}
	return false
}
