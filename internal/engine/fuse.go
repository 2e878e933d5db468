package engine

import (
	"math"
	"slices"
)

// fuse joins chains of Pointwise nodes, of which each reads the one before, to one node each. A node with two inputs
// takes the second from outside the chain. Values that others read, and those in ends, become outputs of the fused
// node. nodes and what they point to stay as they are.
func fuse(nodes []*Node, ends []*Value) []*Node {
	f := fuser{readers: map[*Value][]int{}, tails: map[*Value]*group{}, of: make([]*group, len(nodes)), ends: map[*Value]bool{}}
	for _, v := range ends {
		f.ends[v] = true
	}
	for i, n := range nodes {
		for _, v := range n.Inputs {
			if v != nil {
				f.readers[v] = append(f.readers[v], i)
			}
		}
	}
	for i, n := range nodes {
		if op, ok := n.Op.(Pointwise); ok && uniform(n) {
			f.add(i, n, op)
		}
	}
	var list []*Node
	for i, n := range nodes {
		g := f.of[i]
		switch {
		case g == nil:
			list = append(list, n)
		case g.last == i:
			list = append(list, f.node(g))
		}
	}
	return list
}

// uniform reports whether all inputs and the output of a node have one known shape [N, C, ...], and whether the inputs
// are distinct.
func uniform(n *Node) bool {
	if len(n.Outputs) != 1 || len(n.Inputs) < 1 || len(n.Inputs) > 2 {
		return false
	}
	s := n.Outputs[0].Shape
	if len(s) < 2 || s[1:].Numel() < 1 {
		return false
	}
	for _, v := range n.Inputs {
		if v == nil || v.IsConst() || v.Param != nil || !v.Shape.Equal(s) {
			return false
		}
	}
	return len(n.Inputs) == 1 || n.Inputs[0] != n.Inputs[1]
}

// fuser is the state of fuse.
type fuser struct {
	readers map[*Value][]int  // nodes that read a value
	tails   map[*Value]*group // by the output of a group's last node
	of      []*group          // per node
	ends    map[*Value]bool   // outputs of the graph, and values to keep
}

// group is a chain in progress. It runs at the place of its last node.
type group struct {
	nodes  []*Node
	inputs []*Value // from outside
	place  map[*Value]int
	made   map[*Value]bool
	last   int
	other  int // first node outside that reads a value of the chain other than its last
}

// add puts node i into a group, a new one if it extends none.
func (f *fuser) add(i int, n *Node, op Pointwise) {
	g := f.extendable(i, n, op)
	if g == nil {
		g = &group{place: map[*Value]int{}, made: map[*Value]bool{}, other: math.MaxInt}
	} else {
		tail := g.tail()
		delete(f.tails, tail)
		g.other = min(g.other, f.first(tail, i))
	}
	for _, v := range n.Inputs {
		if !g.made[v] {
			g.place[v] = len(g.inputs)
			g.inputs = append(g.inputs, v)
		}
	}
	g.nodes, g.last = append(g.nodes, n), i
	g.made[n.Outputs[0]] = true
	f.tails[n.Outputs[0]], f.of[i] = g, g
}

// first returns the first node that reads v, other than node but.
func (f *fuser) first(v *Value, but int) int {
	for _, r := range f.readers[v] {
		if r != but {
			return r
		}
	}
	return math.MaxInt
}

// tail returns the last value of the chain.
func (g *group) tail() *Value { return g.nodes[len(g.nodes)-1].Outputs[0] }

// extendable returns the group that node i can extend, or nil. The node must read the group's last value and no other
// value of it. The group must be able to wait until node i without delaying another reader.
func (f *fuser) extendable(i int, n *Node, op Pointwise) *group {
	if op.Head() {
		return nil
	}
	for k, v := range n.Inputs {
		g := f.tails[v]
		if g == nil || len(n.Inputs) == 2 && g.knows(n.Inputs[1-k]) {
			continue
		}
		if g.other >= i && f.first(v, i) >= i {
			return g
		}
	}
	return nil
}

// knows reports whether the chain makes or reads v.
func (g *group) knows(v *Value) bool {
	_, reads := g.place[v]
	return reads || g.made[v]
}

// node returns the fused node of a group.
func (f *fuser) node(g *group) *Node {
	c := &chain{}
	fused := &Node{Name: g.nodes[0].Name, Op: c, Inputs: g.inputs}
	for k, n := range g.nodes {
		s := stage{node: n, op: n.Op.(Pointwise), other: -1, out: -1}
		s.start, _ = n.Op.(Starter)
		first := 0
		if k > 0 && n.Inputs[0] != g.nodes[k-1].Outputs[0] {
			first = 1
		}
		if len(n.Inputs) == 2 {
			s.other = -1
			if at, ok := g.place[n.Inputs[1-first]]; ok {
				s.other = at
			}
		}
		v := n.Outputs[0]
		outside := f.ends[v] || slices.ContainsFunc(f.readers[v], func(r int) bool { return f.of[r] != g })
		if outside || k == len(g.nodes)-1 {
			s.out = len(fused.Outputs)
			fused.Outputs = append(fused.Outputs, v)
		}
		c.stages = append(c.stages, s)
	}
	return fused
}
