package comparison

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/onnx"
)

// Crowded lists the tensors of which more codes are one off than sums that end near a tie by chance explain, and none
// is farther off.
func (c Comparison) Crowded() []string {
	var names []string
	for _, t := range c.tensors {
		if t.first != nil && t.far == nil && !few(t.different, t.compared) {
			names = append(names, t.first.Tensor)
		}
	}
	return names
}

// Explain leaves so many of a tensor's codes that differ, the others being explained by what they were rounded from.
func (c *Comparison) Explain(tensor string, left int64) {
	for i := range c.tensors {
		if t := &c.tensors[i]; t.first != nil && t.first.Tensor == tensor {
			c.Different -= t.different - left
			t.different = left
		}
	}
}

// Rounded is the float value that codes of a tensor are rounded from, and their step size.
type Rounded struct {
	Value string
	Scale float32
}

// ShowRounded makes the float values that the codes of tensors are rounded from outputs of a document in standard
// operators, such as WithGivenCodes gives. A tensor whose quantizer cannot be found is left out.
func ShowRounded(m *onnx.Model, tensors []metadata.TensorBits, names []string) (map[string]Rounded, error) {
	out := map[string]Rounded{}
	for _, name := range names {
		for _, t := range tensors {
			if t.Tensor != name {
				continue
			}
			q := quantizerOf(m.Graph.Value(t.Codes))
			if q == nil || len(qdq.Floats(q.Input(1))) != 1 {
				continue
			}
			x := q.Input(0)
			if !x.IsOutput() {
				if err := m.Graph.AddOutput(x); err != nil {
					return nil, fmt.Errorf("tensor %q: %w", name, err)
				}
			}
			out[name] = Rounded{x.Name(), qdq.Floats(q.Input(1))[0]}
		}
	}
	return out, nil
}

// quantizerOf is the QuantizeLinear that makes codes, which a Clip may bound; nil where there is none.
func quantizerOf(codes *onnx.Value) *onnx.Node {
	if codes == nil || codes.Producer() == nil {
		return nil
	}
	n := codes.Producer()
	if n.Op() == "Clip" && n.Input(0) != nil && n.Input(0).Producer() != nil {
		n = n.Input(0).Producer()
	}
	if !qdq.Is(n, "QuantizeLinear") {
		return nil
	}
	return n
}

// tieRoom is how near the middle between two codes a value of 8-bit codes may be moved there by the rounding of
// float32: a few units in the last place of 255.
const tieRoom = 2e-4

// Tie reports whether a value lies so near the middle between two codes that the order of its sums decides between
// them.
func (r Rounded) Tie(x float32) bool {
	_, part := math.Modf(math.Abs(float64(x / r.Scale)))
	return math.Abs(part-0.5) < tieRoom
}
