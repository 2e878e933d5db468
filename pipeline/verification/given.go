package verification

import (
	"context"
	"math"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize/integer"
)

// Given compares a file whose dialect no integer kernel of onnxruntime computes: every tensor is computed, as
// the document says and without rewriting it, from the simulation's codes of the tensors before. Differences are then
// those of single operators. Compared end to end a code that rounded the other way in the first layer would change
// thousands after it, and an error in the last layer would drown among them.
func (c Check) Given(ctx context.Context, m *onnx.Model, sim *integer.Network) (export.Comparison, error) {
	var sum export.Comparison
	given, tensors, err := export.WithGivenCodes(m)
	if err != nil {
		return sum, err
	}
	if sum.Missing = unmatched(sim, tensors); len(sum.Missing) > 0 {
		return sum, nil
	}
	s, closed, err := c.open(given, ort.Options{Threads: c.Threads})
	if err != nil {
		return sum, err
	}
	defer closed()
	input := m.Graph.Inputs()[0].Name()
	shapes := sim.Shapes()
	err = c.Pictures(ctx, math.MaxInt, codesBatch, func(b Batch) error {
		r, err := sim.Run(ctx, c.Pool, b.X, b.Shape[0], true)
		if err != nil {
			return err
		}
		want := wanted(sim, r)
		in := map[string]*tensor.Tensor{input: b.tensor()}
		for _, t := range tensors {
			shape := shapes[t.Tensor]
			shape[0] = b.Shape[0]
			v := given.Graph.Value(t.Codes)
			if in[export.GivenName(t.Codes)], err = export.FromCodes(want.Codes[t.Tensor], v.DType(), t.Signed, shape); err != nil {
				return err
			}
		}
		out, err := s.Run(ctx, in)
		if err != nil {
			return err
		}
		got := floatOutputs(sim, out)
		for _, t := range tensors {
			if got.Codes[t.Tensor], err = export.Codes(out[t.Codes], t.Signed); err != nil {
				return err
			}
		}
		sum.Add(export.Compare(tensors, want, got), b.First)
		return nil
	})
	return sum, err
}
