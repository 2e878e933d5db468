package onnx

import (
	"cmp"
	"slices"
)

// Use says that input Index of Node reads a value. Index is -1 where a subgraph of Node reads it by name.
type Use struct {
	Node  *Node
	Index int
}

// manyUses is how many uses are searched one by one.
const manyUses = 32

// orderedUses are the uses of a value in node order, which hold as long as neither changes.
type orderedUses struct {
	list   []Use
	sorted int // of the graph
}

// Uses lists the nodes that read the value, in node order. Being a graph output is not a use (see IsOutput). The list
// is shared and stays as it is while the graph is edited: do not write to it.
func (v *Value) Uses() []Use {
	sorted := 0
	if v.graph != nil {
		sorted = v.graph.sorted
	}
	if o := v.ordered.Load(); o != nil && o.sorted == sorted {
		return o.list
	}
	list := slices.Clone(v.uses)
	slices.SortFunc(list, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Node.pos, b.Node.pos), cmp.Compare(a.Index, b.Index))
	})
	list = slices.Clip(list)
	v.ordered.Store(&orderedUses{list, sorted})
	return list
}

func (v *Value) addUse(n *Node, index int) {
	if v.places != nil {
		v.places[Use{n, index}] = len(v.uses)
	}
	v.uses = append(v.uses, Use{n, index})
	v.ordered.Store(nil)
}

// dropUse removes a use.
func (v *Value) dropUse(n *Node, index int) {
	i := v.place(Use{n, index})
	if i < 0 {
		return
	}
	last := len(v.uses) - 1
	moved := v.uses[last]
	v.uses[i], v.uses[last] = moved, Use{}
	v.uses = v.uses[:last]
	if v.places != nil {
		v.places[moved] = i
		delete(v.places, Use{n, index})
	}
	v.ordered.Store(nil)
}

// place is where a use stands in uses, -1 if it does not.
func (v *Value) place(u Use) int {
	if v.places == nil && len(v.uses) <= manyUses {
		return slices.Index(v.uses, u)
	}
	if v.places == nil {
		v.places = make(map[Use]int, len(v.uses))
		for i, u := range v.uses {
			v.places[u] = i
		}
	}
	if i, ok := v.places[u]; ok {
		return i
	}
	return -1
}
