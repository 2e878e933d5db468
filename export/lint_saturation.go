package export

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// lintSaturation: x86 CPUs without VNNI multiply uint8 by int8 with an instruction that adds neighbouring products in
// 16 bits and saturates. Which weights meet there depends on the kernel, so the two largest of an output channel count.
func lintSaturation(m *onnx.Model, d Description, report reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ LayerBits) {
		codes := weightCodes(n)
		if len(codes) == 0 {
			return
		}
		dq := n.Input(1).Producer()
		shape, axis := dq.Input(0).Const().Shape, int(dq.Int("axis", 1))
		if axis < 0 || axis >= len(shape) {
			return
		}
		top := maxCode(n.Input(0))
		if worst := worstPair(codes, shape, axis) * top; worst > math.MaxInt16 {
			report(n.Name(), "codes up to %d times two weights may reach %d; CPUs without VNNI saturate at %d (onnxruntime's session.x64quantprecision=1 avoids it)", top, worst, math.MaxInt16)
		}
	})
}

// worstPair is the largest magnitude that two weights of one sign and one index of the axis add up to.
func worstPair(codes []int8, shape tensor.Shape, axis int) int {
	channels, inner := shape[axis], shape[axis+1:].Numel()
	type pair struct{ first, second int } // largest two
	above, below := make([]pair, channels), make([]pair, channels)
	worst := 0
	for at, k := 0, 0; at < len(codes); at, k = at+inner, (k+1)%channels {
		for _, c := range codes[at : at+inner] {
			v, p := int(c), &above[k]
			if v < 0 {
				v, p = -v, &below[k]
			}
			switch {
			case v > p.first:
				p.first, p.second = v, p.first
			case v > p.second:
				p.second = v
			default:
				continue
			}
			worst = max(worst, p.first+p.second)
		}
	}
	return worst
}

// maxCode is the highest code that a layer reads, looked up behind its DequantizeLinear and the views before it.
func maxCode(v *onnx.Value) int {
	if v == nil || v.Producer() == nil || !isQuant(v.Producer(), "DequantizeLinear") {
		return math.MaxUint8
	}
	for n := v.Producer().Input(0).Producer(); n != nil; n = n.Input(0).Producer() {
		switch n.Op() {
		case "Clip":
			return int(clipBounds(n)[1])
		case "QuantizeLinear":
			return math.MaxUint8
		}
		if n.Input(0) == nil {
			break
		}
	}
	return math.MaxUint8
}
