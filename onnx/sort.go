package onnx

import (
	"fmt"
	"slices"
)

// Sort orders the nodes topologically, keeping the order of nodes that do not depend on each other. It is an error,
// and nothing changes, if there is a cycle.
func (g *Graph) Sort() error {
	order, err := g.order()
	if err != nil {
		return fmt.Errorf("sort graph: %w", err)
	}
	if !slices.Equal(order, g.Nodes()) {
		g.reorder(order)
	}
	return nil
}

// visit is a node whose inputs are followed, and how many of them were.
type visit struct {
	node *Node
	done int
}

// order is a depth-first topological order of the nodes.
func (g *Graph) order() ([]*Node, error) {
	order := make([]*Node, 0, g.count)
	placed := make(map[*Node]bool, g.count) // false: waiting for its inputs
	for root := g.first; root != nil; root = root.next {
		if placed[root] {
			continue
		}
		placed[root] = false
		for stack := []visit{{node: root}}; len(stack) > 0; {
			top := &stack[len(stack)-1]
			next := top.pending(placed)
			if next == nil {
				placed[top.node] = true
				order = append(order, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			if _, waiting := placed[next]; waiting {
				return nil, fmt.Errorf("%s depends on its own output: the graph has a cycle", next)
			}
			placed[next] = false
			stack = append(stack, visit{node: next})
		}
	}
	return order, nil
}

// pending is the next producer of an input that is not placed yet.
func (t *visit) pending(placed map[*Node]bool) *Node {
	n := t.node
	for ; t.done < len(n.inputs)+len(n.captures); t.done++ {
		var v *Value
		if t.done < len(n.inputs) {
			v = n.inputs[t.done]
		} else {
			v = n.captures[t.done-len(n.inputs)]
		}
		if v != nil && v.producer != nil && !placed[v.producer] {
			return v.producer
		}
	}
	return nil
}
