package fakequant

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// HasCodes reports whether the network holds chosen codes of weights. It cannot be trained then, since codes do not
// follow the weights.
func (n *Network) HasCodes() bool {
	return slices.ContainsFunc(n.layers, func(l layer) bool { return l.quant.codes != nil })
}

// loadCodes adopts the codes of weights in a supernet and drops all others. It is an error if one has another length
// than the weights.
func (n *Network) loadCodes(s *quantize.Supernet) error {
	all := make([][][]int8, len(n.layers))
	for i := range n.layers {
		q, node := n.layers[i].quant, n.Plan.Layers[i].Node
		for k, bits := range q.Steps.bits {
			a, ok := s.Arrays[quantize.CodeName(node, bits)]
			if !ok {
				continue
			}
			if len(a.Codes) != len(n.layers[i].weight.Data) {
				return fmt.Errorf("load supernet: %d codes of layer %q at %d bits, %d wanted", len(a.Codes), node, bits, len(n.layers[i].weight.Data))
			}
			if all[i] == nil {
				all[i] = make([][]int8, len(q.Steps.bits))
			}
			all[i][k] = a.Codes
		}
	}
	for i := range n.layers {
		n.layers[i].quant.codes = all[i]
	}
	return nil
}

// saveCodes adds the codes to a supernet.
func (n *Network) saveCodes(s *quantize.Supernet) {
	for i := range n.layers {
		q := n.layers[i].quant
		for k, codes := range q.codes {
			if codes != nil {
				s.Arrays[quantize.CodeName(n.Plan.Layers[i].Node, q.Steps.bits[k])] = quantize.Array{Shape: n.layers[i].weight.Shape.Clone(), Codes: codes}
			}
		}
	}
}
