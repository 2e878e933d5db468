package verification

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize/integer"
)

// Either compares a file for onnxruntime that has operators without exact result as Given does, and where that finds more than
// rounding once more without merged operators: onnxruntime has a Softmax of codes, for one, that is no rounded Softmax.
func (c Check) Either(ctx context.Context, m *onnx.Model, sim *integer.Network) (export.Comparison, error) {
	fused, err := c.given(ctx, m, sim, true)
	if err != nil || fused.Wrong(1) == nil && fused.Astray(export.OutputTolerance) == nil {
		return fused, err
	}
	plain, err := c.Given(ctx, m, sim)
	return export.Better(fused, plain), err
}

// Given compares a file whose dialect no integer kernel of onnxruntime computes: every tensor is computed, as
// the document says and without rewriting it, from the simulation's codes of the tensors before. Differences are then
// those of single operators. Compared end to end a code that rounded the other way in the first layer would change
// thousands after it, and an error in the last layer would drown among them.
func (c Check) Given(ctx context.Context, m *onnx.Model, sim *integer.Network) (export.Comparison, error) {
	return c.given(ctx, m, sim, false)
}

// given is Given, with operators merged with their quantizers if the runtime is to be fused.
func (c Check) given(ctx context.Context, m *onnx.Model, sim *integer.Network, fused bool) (export.Comparison, error) {
	given, tensors, err := export.WithGivenCodes(m)
	if err != nil {
		return export.Comparison{}, err
	}
	shapes := sim.Shapes()
	return c.compare(ctx, probed{
		model: given, tensors: tensors, options: ort.Options{Threads: c.Threads, Optimize: fused},
		feed: func(in map[string]*tensor.Tensor, want export.Outputs, n int) (err error) {
			for _, t := range tensors {
				shape, v := shapes[t.Tensor].Clone(), given.Graph.Value(t.Codes)
				if len(shape) > 0 {
					shape[0] *= n
				}
				if in[export.GivenName(t.Codes)], err = export.FromCodes(want.Codes[t.Tensor], v.DType(), t.Signed, shape); err != nil {
					return err
				}
			}
			return nil
		},
		codes: func(out *tensor.Tensor, t export.TensorBits) ([]uint8, error) { return export.Codes(out, t.Signed) },
	}, sim)
}
