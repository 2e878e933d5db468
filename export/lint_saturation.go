package export

import (
	"math"

	"github.com/mpqc/mpqc/onnx"
)

// lintSaturation: x86 CPUs without VNNI multiply uint8 by int8 with an instruction that adds neighbouring products in
// 16 bits and saturates. Which weights meet there depends on the kernel, so the two largest of an output channel count.
func lintSaturation(m *onnx.Model, d Description, report reporter) {
	layers(m, d, func(string, string, ...any) {}, func(n *onnx.Node, _ LayerBits) {
		codes, channel := weightCodes(n), channelOf(n)
		if len(codes) == 0 || channel == nil {
			return
		}
		top := maxCode(n.Input(0))
		if worst := worstPair(codes, channel) * top; worst > math.MaxInt16 {
			report(n.Name(), "codes up to %d times two weights may reach %d; CPUs without VNNI saturate at %d (onnxruntime's session.x64quantprecision=1 avoids it)", top, worst, math.MaxInt16)
		}
	})
}

// worstPair is the largest magnitude that two weights of one sign and output channel add up to.
func worstPair(codes []int8, channel func(i int) int) int {
	type pair struct{ first, second int }
	var sides [2]map[int]pair
	sides[0], sides[1] = map[int]pair{}, map[int]pair{}
	worst := 0
	for i, c := range codes {
		v, side := int(c), 0
		if v < 0 {
			v, side = -v, 1
		}
		k := channel(i)
		p := sides[side][k]
		switch {
		case v > p.first:
			p = pair{v, p.first}
		case v > p.second:
			p.second = v
		}
		sides[side][k] = p
		worst = max(worst, p.first+p.second)
	}
	return worst
}

// channelOf maps the index of a weight to its output channel, nil where the weights have no such axis.
func channelOf(n *onnx.Node) func(i int) int {
	dq := n.Input(1).Producer()
	shape, axis := dq.Input(0).Const().Shape, int(dq.Int("axis", 1))
	if axis < 0 || axis >= len(shape) {
		return nil
	}
	inner := shape[axis+1:].Numel()
	return func(i int) int { return i / inner % shape[axis] }
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
