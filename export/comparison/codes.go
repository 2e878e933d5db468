package comparison

import (
	"fmt"

	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// WithCodes returns a copy of an exported model whose codes are graph outputs too, and which output holds which
// tensor. Only values after QuantizeLinear are added, which leaves fusion as it was.
func WithCodes(m *onnx.Model) (*onnx.Model, []metadata.TensorBits, error) {
	d, err := metadata.Describe(m)
	if err != nil {
		return nil, nil, err
	}
	c := m.Clone()
	for _, t := range d.Tensors {
		v := c.Graph.Value(t.Codes)
		if v == nil {
			return nil, nil, fmt.Errorf("codes of tensor %q: the model has no value %q", t.Tensor, t.Codes)
		}
		if v.IsOutput() {
			continue
		}
		if err := c.Graph.AddOutput(v); err != nil {
			return nil, nil, fmt.Errorf("codes of tensor %q: %w", t.Tensor, err)
		}
	}
	return c, d.Tensors, nil
}

// WithGivenCodes returns a copy of an exported model in standard operators that gives out the codes of every tensor, as
// WithCodes does, but computes each from codes that are handed in: the graph input GivenName(t.Codes) stands in for the
// codes of t wherever they are read. Fed with the codes of the reference, what comes out differs from the reference by
// the rounding of one operator at most, however deep the network is.
func WithGivenCodes(m *onnx.Model) (*onnx.Model, []metadata.TensorBits, error) {
	c, tensors, err := WithCodes(m)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range tensors {
		v := c.Graph.Value(t.Codes)
		uses := v.Uses()
		s, _ := v.Shape()
		given, err := c.Graph.AddInput(GivenName(t.Codes), v.DType(), s)
		if err != nil {
			return nil, nil, fmt.Errorf("codes of tensor %q: %w", t.Tensor, err)
		}
		for _, u := range uses {
			u.Node.SetInput(u.Index, given)
		}
	}
	return c, tensors, nil
}

// GivenName is the graph input that stands in for a value of codes.
func GivenName(codes string) string { return codes + "/given" }

// Codes are the codes of a tensor as the reference counts them, of a value of an exported model: int8 codes of signed
// tensors are moved by 128. FromCodes is the inverse.
func Codes(t *tensor.Tensor, signed bool) ([]uint8, error) {
	switch {
	case t == nil || t.DType != tensor.Int8 && t.DType != tensor.Uint8:
		return nil, fmt.Errorf("codes are not 8 bits wide")
	case t.DType == tensor.Int8 && signed:
		return shifted(t.Raw), nil
	default:
		return t.Raw, nil
	}
}

// FromCodes are codes of the reference as a value of an exported model holds them.
func FromCodes(codes []uint8, dtype tensor.DType, signed bool, shape tensor.Shape) (*tensor.Tensor, error) {
	if dtype == tensor.Int8 && signed {
		codes = shifted(codes)
	}
	return tensor.New(dtype, shape, codes)
}

func shifted(codes []uint8) []uint8 {
	out := make([]uint8, len(codes))
	for i, c := range codes {
		out[i] = c ^ 0x80
	}
	return out
}
