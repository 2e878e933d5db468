package quantize

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// maxElements bounds what one tensor of a sample may hold, 8 GiB as floats, and maxMACs what a layer may compute for
// it: a file of a kilobyte can state any shape. Sums of costs over all layers stay within 63 bits.
const (
	maxElements = 1 << 31
	maxMACs     = 1 << 46
)

// sizes refuses tensors that no machine computes, before anything is allocated for them.
func (b *planner) sizes() error {
	values := b.graph.Inputs()
	for _, n := range b.graph.Nodes() {
		values = append(values, n.Outputs()...)
	}
	for _, v := range values {
		if v == nil {
			continue
		}
		s, known := v.Shape()
		if !known {
			continue
		}
		n := int64(1)
		for _, d := range s[min(len(s), 1):] {
			if d > 0 && n > maxElements/int64(d) {
				return fmt.Errorf("tensor %q of shape %s holds more than %d elements per sample", v.Name(), s, int64(maxElements))
			}
			n *= int64(max(d, 1))
		}
	}
	return nil
}

// finite refuses constants that make every result useless: NaN anywhere, and infinities among the parameters of layers
// and norms. Elsewhere, as a bound of Clip or a mask, an infinity has its meaning.
func (b *planner) finite() error {
	for _, v := range b.graph.Initializers() {
		uses := v.Uses()
		t := v.Const()
		if len(uses) == 0 || t == nil || t.DType != tensor.Float32 {
			continue
		}
		n := uses[0].Node
		if i, x := oddNumber(t, parameters(uses)); i >= 0 {
			return fmt.Errorf("initializer %q of %s: element %d is %g; training diverged or the file is damaged: export the model again",
				v.Name(), n, i, x)
		}
	}
	return nil
}

// parameters reports whether a constant is a parameter that the network multiplies by or adds.
func parameters(uses []onnx.Use) bool {
	return slices.ContainsFunc(uses, func(u onnx.Use) bool { return u.Node.Traits().Has(op.Learned) })
}

// oddNumber finds the first element that is NaN or, if asked for, infinite; -1 if there is none.
func oddNumber(t *tensor.Tensor, infinite bool) (int, float32) {
	const exponent, fraction = 0xff << 23, 1<<23 - 1
	for i := 0; i+4 <= len(t.Raw); i += 4 {
		bits := binary.LittleEndian.Uint32(t.Raw[i:])
		if bits&exponent == exponent && (infinite || bits&fraction != 0) {
			return i / 4, math.Float32frombits(bits)
		}
	}
	return -1, 0
}
