package pass

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// NameHardSwish writes x * Clip(x+3, 0, 6) / 6 and x * HardSigmoid(x), as exporters take HardSwish apart, as that
// operator.
type NameHardSwish struct{ always }

// Name names the pass.
func (NameHardSwish) Name() string { return "hard swish" }

// hardSwishOpset is the first operator set with HardSwish.
const hardSwishOpset = 14

// Apply rewrites every match.
func (NameHardSwish) Apply(m *onnx.Model) (bool, error) {
	if m.Opset("") < hardSwishOpset {
		return false, nil
	}
	modified := false
	for _, n := range m.Graph.Nodes() {
		x, last := hardSwishOf(n)
		if x == nil {
			continue
		}
		s, _ := last.Output(0).Shape()
		y, err := chain(m.Graph, n, x, n.Name(), last.Output(0).Name(), []step{{op: "HardSwish", shape: s}})
		if err == nil {
			err = takeOver(m.Graph, last, y)
		}
		if err == nil && last != n {
			err = m.Graph.Remove(n)
		}
		if err != nil {
			return modified, fmt.Errorf("hard swish %q: %w", n.Name(), err)
		}
		modified = true
	}
	return modified, nil
}

// hardSwishOf matches the product of x and its gate with x and the last node of the activation: the product, or the
// division by 6 behind it.
func hardSwishOf(n *onnx.Node) (x *onnx.Value, last *onnx.Node) {
	if n.Op() != "Mul" || n.Domain() != "" || len(n.Inputs()) != 2 || !single(n) {
		return nil, nil
	}
	for i := range 2 {
		x, gate := n.Input(i), n.Input(1-i)
		if x == nil || onlyReader(gate) != n || x.DType() != tensor.Float32 {
			continue
		}
		p := gate.Producer()
		if isHardSigmoid(p, x) {
			return x, n
		}
		if v, ok := sixth(p); ok && isRelu6(v.Producer(), x) && onlyReader(v) == p {
			return x, n
		}
		if d := onlyReader(n.Output(0)); isRelu6(p, x) && d != nil {
			if _, ok := sixth(d); ok {
				return x, d
			}
		}
	}
	return nil, nil
}

// isHardSigmoid reports whether a node is HardSigmoid of x with the slope of HardSwish.
func isHardSigmoid(n *onnx.Node, x *onnx.Value) bool {
	return n != nil && n.Op() == "HardSigmoid" && n.Domain() == "" && n.Input(0) == x &&
		near32(n.Float("alpha", 0.2), 1./6) && near32(n.Float("beta", 0.5), 0.5)
}

// isRelu6 reports whether a node is Clip(x+3, 0, 6).
func isRelu6(n *onnx.Node, x *onnx.Value) bool {
	if n == nil || n.Op() != "Clip" || n.Domain() != "" || !isNumber(n.Input(1), 0) || !isNumber(n.Input(2), 6) || onlyReader(n.Input(0)) != n {
		return false
	}
	add := n.Input(0).Producer()
	if add == nil || add.Op() != "Add" || add.Domain() != "" || len(add.Inputs()) != 2 {
		return false
	}
	return add.Input(0) == x && isNumber(add.Input(1), 3) || add.Input(1) == x && isNumber(add.Input(0), 3)
}

// sixth matches a division by 6, or a product with 1/6, with what is divided.
func sixth(n *onnx.Node) (*onnx.Value, bool) {
	if n == nil || n.Domain() != "" || len(n.Inputs()) != 2 || n.Input(0) == nil || n.Input(1) == nil || !single(n) {
		return nil, false
	}
	switch a, b := n.Input(0), n.Input(1); {
	case n.Op() == "Div" && isNumber(b, 6), n.Op() == "Mul" && isNumber(b, 1./6):
		return a, true
	case n.Op() == "Mul" && isNumber(a, 1./6):
		return b, true
	}
	return nil, false
}

// isNumber reports whether a value is one constant number, which broadcasting does not make larger than a sample.
func isNumber(v *onnx.Value, want float64) bool {
	if v == nil || v.Const() == nil || v.Const().DType != tensor.Float32 || v.Const().Shape.Numel() != 1 || len(v.Const().Shape) > 1 {
		return false
	}
	f, err := tensor.Floats(v.Const())
	return err == nil && near32(f[0], want)
}

// near32 allows for a few roundings to float32.
func near32(v float32, want float64) bool { return math.Abs(float64(v)-want) <= 1e-6*math.Abs(want) }
