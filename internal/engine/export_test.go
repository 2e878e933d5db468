package engine

// Apart makes Compile give every buffer memory of its own.
func Apart(o Options) Options {
	o.apart = true
	return o
}

// Unfused makes Compile run every node by itself.
func Unfused(o Options) Options {
	o.unfused = true
	return o
}

// Planned lists the nodes that run, fused ones as one.
func Planned(e *Exec) []*Node {
	var list []*Node
	for i := range e.plan.nodes {
		list = append(list, e.plan.nodes[i].node)
	}
	return list
}
