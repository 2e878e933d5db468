package lint

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// FloatLevels checks that codes of b bits stay within b bits, by the container or by a Clip of the floats before.
func FloatLevels(m *onnx.Model, d metadata.Description, report Reporter) {
	for _, t := range d.Tensors {
		v := m.Graph.Value(t.Codes)
		if v == nil || !qdq.Is(v.Producer(), "QuantizeLinear") || len(qdq.Floats(v.Producer().Input(1))) != 1 {
			report(t.Node, "the codes of tensor %q are not in the document", t.Tensor)
			continue
		}
		lo, hi := quantize.Levels(t.Bits, t.Signed)
		lo, hi = lo-t.Zero, hi-t.Zero
		if first, last := reachable(v.Producer()); first < lo || last > hi {
			report(v.Producer().Name(), "codes of tensor %q lie in %d..%d; %d bits allow %d..%d", t.Tensor, first, last, t.Bits, lo, hi)
		}
	}
	weightLevels(m, d, report)
}

// reachable are the lowest and highest code, less the zero point, that a QuantizeLinear makes of what comes before it.
func reachable(n *onnx.Node) (first, last int) {
	first, last = 0, math.MaxUint8
	if zero := n.Input(2); zero != nil && zero.DType() == tensor.Int8 {
		first, last = math.MinInt8, math.MaxInt8
	}
	if zero := qdq.Ints(n.Input(2)); len(zero) == 1 {
		first, last = first-int(zero[0]), last-int(zero[0])
	}
	scale := qdq.Floats(n.Input(1))[0]
	code := func(v *onnx.Value, def int) int {
		if f := qdq.Floats(v); len(f) == 1 {
			return int(math.RoundToEven(float64(f[0] / scale)))
		}
		return def
	}
	if p := qdq.Producer(n.Input(0)); p != nil && p.Op() == "Clip" {
		first, last = max(first, code(p.Input(1), first)), min(last, code(p.Input(2), last))
	} else if p != nil && nonNegative(p) {
		first = max(first, 0)
	}
	return first, last
}

// nonNegative reports whether the operators before a value keep it from being negative.
func nonNegative(n *onnx.Node) bool {
	for n != nil {
		switch row := n.Traits(); {
		case row.Has(op.Unsigned):
			return true
		case n.Op() == "Clip":
			lo := qdq.Floats(n.Input(1))
			return len(lo) == 1 && lo[0] >= 0
		case row.Stream == op.Joins:
			return !slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return v == nil || !nonNegative(v.Producer()) })
		case n.Op() == "QuantizeLinear", n.Op() == "DequantizeLinear", row.Has(op.Pool) && row.Stream == op.Averages, quantize.IsView(n):
			n = qdq.Producer(n.Input(0))
		default:
			return false
		}
	}
	return false
}

// Levels checks that codes of b bits stay within b bits: those of activations by a Clip, those of weights by their
// values.
func Levels(m *onnx.Model, d metadata.Description, report Reporter) {
	for _, t := range d.Tensors {
		v := m.Graph.Value(t.Codes)
		if v == nil || v.Producer() == nil {
			report(t.Node, "the codes of tensor %q are not in the document", t.Tensor)
			continue
		}
		lo, hi := quantize.Levels(t.Bits, t.Signed)
		if t.Signed {
			lo, hi = lo+128, hi+128
		}
		if got := clipBounds(v.Producer()); int(got[0]) < lo || int(got[1]) > hi {
			report(v.Producer().Name(), "codes of tensor %q lie in %g..%g; %d bits allow %d..%d", t.Tensor, got[0], got[1], t.Bits, lo, hi)
		}
	}
	weightLevels(m, d, report)
}

func weightLevels(m *onnx.Model, d metadata.Description, report Reporter) {
	layers(m, d, ignore, func(n *onnx.Node, l metadata.LayerBits) {
		lo, hi := quantize.Levels(l.W, true)
		for _, c := range weightCodes(n) {
			if int(c) < lo || int(c) > hi {
				report(n.Name(), "weight code %d is outside the %d..%d of %d bits", c, lo, hi, l.W)
				return
			}
		}
	})
}

// clipBounds are the lowest and highest code that the node which makes codes lets through.
func clipBounds(n *onnx.Node) [2]float32 {
	bounds := [2]float32{0, 255}
	if n.Op() != "Clip" {
		return bounds
	}
	for i := range bounds {
		if f := qdq.Floats(n.Input(i + 1)); len(f) == 1 {
			bounds[i] = f[0]
		}
	}
	return bounds
}

func weightCodes(n *onnx.Node) []int8 {
	v := n.Input(1)
	if v == nil || !qdq.Is(v.Producer(), "DequantizeLinear") {
		return nil
	}
	c := qdq.Const(v.Producer().Input(0))
	if c == nil {
		return nil
	}
	codes, err := tensor.Values[int8](c)
	if err != nil {
		return nil
	}
	return codes
}
