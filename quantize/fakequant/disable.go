package fakequant

// Disable switches off all quantizers and all rounding. The network then computes and trains as the float model does.
// Step sizes keep their values. It cannot be undone.
func (n *Network) Disable() {
	for _, node := range n.Graph.Nodes {
		switch op := node.Op.(type) {
		case *ActivationQuant:
			op.Off = true
		case *WeightQuant:
			op.Off = true
		}
	}
	n.Round(false)
}
