package fakequant

// Disable turns every quantizer and all rounding off, so that the network computes and trains as the float model does.
// Its steps stay what they are.
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
