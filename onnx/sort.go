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
	if !slices.Equal(order, g.nodes) {
		g.nodes = order
		g.renumber(0)
	}
	return nil
}

// order is a depth-first topological order of the nodes.
func (g *Graph) order() ([]*Node, error) {
	order := make([]*Node, 0, len(g.nodes))
	state := map[*Node]int{} // 1: waiting for its inputs, 2: done
	for _, root := range g.nodes {
		stack := []*Node{root}
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			if state[n] == 2 {
				stack = stack[:len(stack)-1]
				continue
			}
			state[n] = 1
			next := n.pending(state)
			switch {
			case next == nil:
				state[n] = 2
				order = append(order, n)
				stack = stack[:len(stack)-1]
			case state[next] == 1:
				return nil, fmt.Errorf("%s depends on its own output: the graph has a cycle", next)
			default:
				stack = append(stack, next)
			}
		}
	}
	return order, nil
}

// pending is the first producer of an input of n that Sort has not placed yet.
func (n *Node) pending(state map[*Node]int) *Node {
	for _, v := range slices.Concat(n.inputs, n.captures) {
		if v != nil && v.producer != nil && state[v.producer] != 2 {
			return v.producer
		}
	}
	return nil
}
