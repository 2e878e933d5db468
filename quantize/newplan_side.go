package quantize

import (
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// OneSided recognises activations whose negative part is small against the positive one, written as one node or as
// x*gate(x), and says how low they go: a symmetric grid spends half of its levels there. The slope of a LeakyRelu
// counts up to 0.3, with least 0 as it has no bound.
func OneSided(n *onnx.Node) (name string, least float64, ok bool) {
	if n == nil || n.Domain() != "" {
		return "", 0, false
	}
	dip := n.Traits().Dip
	switch n.Op() {
	case "Swish":
		alpha := float64(n.Float("alpha", 1))
		return "SiLU", dip / alpha, alpha > 0
	case "Elu":
		return "Elu", -float64(n.Float("alpha", 1)), true
	case "LeakyRelu":
		slope := n.Float("alpha", 0.01)
		return "LeakyRelu", 0, slope >= 0 && slope <= 0.3
	case "Mul":
		return gated(n)
	}
	if dip == 0 {
		return "", 0, false
	}
	return n.Op(), dip, true
}

// gated recognises x*Sigmoid(x), x*HardSigmoid(x), and Gelu as x*(1+Erf(x/sqrt(2)))/2 in any order of the factors.
func gated(n *onnx.Node) (name string, least float64, ok bool) {
	for i := range 2 {
		gate, x := n.Input(i), n.Input(1-i)
		if gate == nil || x == nil {
			continue
		}
		if p := gate.Producer(); p != nil && p.Input(0) == x {
			switch p.Op() {
			case "Sigmoid":
				return "SiLU", op.Of("", "Swish").Dip, true
			case "HardSigmoid":
				return "HardSwish", op.Of("", "HardSwish").Dip, true
			}
		}
		if half, constant := scalar(gate); constant && half == 0.5 && erfGate(x.Producer()) || erfGate(n) {
			return "Gelu", op.Of("", "Gelu").Dip, true
		}
	}
	return "", 0, false
}

// gateDepth is how many additions and products of constants a gate has at most: 1+Erf, half of it, and what an exporter
// may add to them. Longer chains are no gates, and following each from every node would be quadratic.
const gateDepth = 8

// erfGate recognises x*(1+Erf(..)), or half of it.
func erfGate(n *onnx.Node) bool {
	if n == nil || n.Op() != "Mul" {
		return false
	}
	for i := range 2 {
		gate := n.Input(i)
		if gate == nil {
			continue
		}
		p := gate.Producer()
		for range gateDepth {
			if p == nil || p.Op() != "Mul" && p.Op() != "Add" {
				break
			}
			next := (*onnx.Node)(nil)
			for k := range 2 {
				if _, constant := scalar(p.Input(k)); constant && p.Input(1-k) != nil {
					next = p.Input(1 - k).Producer()
				}
			}
			if p = next; p != nil && p.Op() == "Erf" {
				return true
			}
		}
	}
	return false
}

// oneSided reports whether a value's negative part is small by what produces it: a OneSided activation, or such tensors
// and unsigned ones put together.
func (b *planner) oneSided(v *onnx.Value) bool {
	if v == nil || v.Producer() == nil || !b.signed(v) {
		return false
	}
	s, ok := b.side[v]
	if !ok { // every value once: sums of sums read the same ones over and over
		s = b.producesOneSided(v.Producer())
		b.side[v] = s
	}
	return s
}

func (b *planner) producesOneSided(n *onnx.Node) bool {
	if _, _, ok := OneSided(n); ok {
		return true
	}
	switch stream := n.Traits().Stream; {
	case stream == op.Joins:
		for _, x := range n.Inputs() {
			if b.constant(x) || b.signed(x) && !b.oneSided(x) {
				return false
			}
		}
		// The product of two negative parts is positive, that of one with an unsigned tensor stays small only if that
		// is a gate; what calibration sees decides how many codes it gets.
		return true
	case stream == op.Averages, n.Op() == "Resize":
		return b.oneSided(n.Input(0))
	default:
		return IsView(n) && b.oneSided(n.Input(0))
	}
}
