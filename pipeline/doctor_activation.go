package pipeline

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// activations names tensors whose negative part is small: a signed grid spends half of its levels there.
func (d *doctor) activations() {
	for _, p := range d.plan.Points {
		v := d.model.Graph.Value(p.Tensor)
		if v == nil || !p.Signed || len(p.Layers) == 0 {
			continue
		}
		name, least := oneSided(v.Producer())
		if name == "" {
			continue
		}
		d.note(v.Producer().Name(), fmt.Sprintf("%s is never below %.3g, yet tensor %q needs a signed grid: of 2^b levels it uses little more than half",
			name, least, p.Tensor),
			fmt.Sprintf("nothing at 8 bits; for low targets keep its readers wider (--pin '%s=8/8'), or train the float model with Relu instead",
				d.plan.Layers[p.Layers[0]].Node))
	}
}

// oneSided recognises activations with a bounded negative part, written as one node or as x*gate(x).
func oneSided(n *onnx.Node) (name string, least float64) {
	if n == nil {
		return "", 0
	}
	switch n.Op() {
	case "HardSwish":
		return "HardSwish", -0.375
	case "Gelu":
		return "Gelu", -0.170
	case "Mish":
		return "Mish", -0.309
	case "Elu":
		return "Elu", -float64(n.Float("alpha", 1))
	case "Mul":
		for i := range 2 {
			gate, x := n.Input(i), n.Input(1-i)
			if gate == nil || gate.Producer() == nil || gate.Producer().Input(0) != x {
				continue
			}
			switch gate.Producer().Op() {
			case "Sigmoid":
				return "SiLU", -0.278
			case "HardSigmoid":
				return "HardSwish", -0.375
			}
		}
	}
	return "", 0
}
