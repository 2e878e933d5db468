package onnx

// Nodes are a linked list, so that edits of one node do not move the others. Their positions tell which of two comes
// first.

// gap is what positions of neighbours differ by at first.
const gap = 1 << 32

// place puts a node before another one, or at the end.
func (g *Graph) place(n, before *Node) {
	n.next = before
	if n.prev = g.last; before != nil {
		n.prev = before.prev
	}
	if n.prev == nil {
		g.first = n
	} else {
		n.prev.next = n
	}
	if before == nil {
		g.last = n
	} else {
		before.prev = n
	}
	g.count++
	g.dirty = true
	switch {
	case n.prev == nil && n.next == nil:
		n.pos = 0
	case n.next == nil:
		n.pos = n.prev.pos + gap
	case n.prev == nil:
		n.pos = n.next.pos - gap
	default:
		// Near the one before: what is put before a node as a rule comes in order, and needs the rest of the gap.
		n.pos = n.prev.pos + min((n.next.pos-n.prev.pos)/2, gap>>16)
		if n.pos == n.prev.pos {
			g.renumber()
		}
	}
}

// takeOut removes a node from the list.
func (g *Graph) takeOut(n *Node) {
	if n.prev == nil {
		g.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		g.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.prev, n.next = nil, nil
	g.count--
	g.dirty = true
}

func (g *Graph) renumber() {
	at := int64(0)
	for n := g.first; n != nil; n = n.next {
		n.pos = at
		at += gap
	}
}

// reorder brings the nodes, all of them, into another order.
func (g *Graph) reorder(list []*Node) {
	g.first, g.last, g.count = nil, nil, 0
	for _, n := range list {
		n.prev, n.next = nil, nil
		g.place(n, nil)
	}
	g.sorted++
}
