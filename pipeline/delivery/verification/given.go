package verification

import (
	"context"

	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize/integer"
)

// Either compares a file for onnxruntime that has operators without exact result, such as Softmax.
//
// It first lets onnxruntime merge operators with their quantizers, tensor by tensor as Given does. Where that differs
// by more than rounding, it compares once more without merging and returns the better comparison: onnxruntime's Softmax
// on codes, for one, is not a rounded Softmax.
func (c Check) Either(ctx context.Context, m *onnx.Model, sim *integer.Network) (comparison.Comparison, error) {
	fused, err := c.given(ctx, m, sim, true)
	if err != nil || fused.Wrong(1) == nil && fused.Astray(comparison.OutputTolerance) == nil {
		return fused, err
	}
	plain, err := c.Given(ctx, m, sim)
	return comparison.Better(fused, plain), err
}

// Ties examines tensors with more codes that are off by one than chance explains.
//
// Where a value lies in the middle between two codes, the order of a sum decides between them. A linear Resize by
// thirds often makes such values. Ties tells the comparison found how many differences remain that are no ties.
func (c Check) Ties(ctx context.Context, m *onnx.Model, sim *integer.Network, found *comparison.Comparison) error {
	crowded := found.Crowded()
	if len(crowded) == 0 {
		return nil
	}
	p, err := c.probe(m, sim, false)
	if err != nil {
		return err
	}
	rounded, err := comparison.ShowRounded(p.model, p.tensors, crowded)
	if err != nil || len(rounded) == 0 {
		return err
	}
	left := map[string]int64{}
	p.seen = func(want, got comparison.Outputs, out map[string]*tensor.Tensor) error {
		for name, r := range rounded {
			x, err := tensor.Floats(out[r.Value])
			if err != nil {
				return err
			}
			for i, w := range want.Codes[name] {
				if g := got.Codes[name][i]; w != g && !(max(w, g)-min(w, g) == 1 && r.Tie(x[i])) {
					left[name]++
				}
			}
		}
		return nil
	}
	if _, err := c.compare(ctx, p, sim); err != nil {
		return err
	}
	for name := range rounded {
		found.Explain(name, left[name])
	}
	return nil
}

// Given compares a file tensor by tensor: each tensor is computed from the simulation's codes of the tensors before it.
//
// It serves dialects that no integer kernel of onnxruntime computes; the file runs without rewriting. The differences
// are those of single operators. End to end, one code of the first layer that rounds the other way would change
// thousands behind it, and an error in the last layer would go unnoticed.
func (c Check) Given(ctx context.Context, m *onnx.Model, sim *integer.Network) (comparison.Comparison, error) {
	return c.given(ctx, m, sim, false)
}

// given is Given; with fused, onnxruntime may merge operators with their quantizers.
func (c Check) given(ctx context.Context, m *onnx.Model, sim *integer.Network, fused bool) (comparison.Comparison, error) {
	p, err := c.probe(m, sim, fused)
	if err != nil {
		return comparison.Comparison{}, err
	}
	return c.compare(ctx, p, sim)
}

// probe prepares a file that takes the codes of the simulation as inputs.
func (c Check) probe(m *onnx.Model, sim *integer.Network, fused bool) (probe, error) {
	given, tensors, err := comparison.WithGivenCodes(m)
	if err != nil {
		return probe{}, err
	}
	shapes := sim.Shapes()
	return probe{
		model: given, tensors: tensors, options: ort.Options{Threads: c.Threads, Optimize: fused},
		feed: func(in map[string]*tensor.Tensor, want comparison.Outputs, n int) (err error) {
			for _, t := range tensors {
				shape, v := shapes[t.Tensor].Clone(), given.Graph.Value(t.Codes)
				if len(shape) > 0 {
					shape[0] *= n
				}
				if in[comparison.GivenName(t.Codes)], err = comparison.FromCodes(want.Codes[t.Tensor], v.DType(), t.Signed, shape); err != nil {
					return err
				}
			}
			return nil
		},
		codes: func(out *tensor.Tensor, t metadata.TensorBits) ([]uint8, error) {
			return comparison.Codes(out, t.Signed)
		},
	}, nil
}
