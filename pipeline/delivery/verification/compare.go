package verification

import (
	"context"
	"math"

	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize/integer"
)

// codesBatch is the batch size of comparisons of codes. All codes of a batch are in memory twice.
const codesBatch = 8

// probe is a file whose codes are further outputs.
type probe struct {
	model   *onnx.Model
	tensors []metadata.TensorBits
	options ort.Options
	// feed adds inputs besides the n samples; nil: there are none.
	feed func(in map[string]*tensor.Tensor, want comparison.Outputs, n int) error
	// codes extracts the codes of tensor t from an output.
	codes func(out *tensor.Tensor, t metadata.TensorBits) ([]uint8, error)
	// seen receives what both computed for a batch, and all outputs of the file. It may be nil.
	seen func(want, got comparison.Outputs, out map[string]*tensor.Tensor) error
}

// compare runs the simulation and a file on held-out samples and compares every code and every float output.
func (c Check) compare(ctx context.Context, p probe, sim *integer.Network) (comparison.Comparison, error) {
	var sum comparison.Comparison
	if sum.Missing = unmatched(sim, p.tensors); len(sum.Missing) > 0 {
		return sum, nil
	}
	s, closed, err := c.open(p.model, p.options)
	if err != nil {
		return sum, err
	}
	defer closed()
	input := p.model.Graph.Inputs()[0].Name()
	err = c.Samples(ctx, math.MaxInt, codesBatch, func(b Batch) error {
		r, err := sim.Run(ctx, c.Pool, b.X, b.Shape[0], true)
		if err != nil {
			return err
		}
		want, in := wanted(sim, r), map[string]*tensor.Tensor{input: b.tensor()}
		if p.feed != nil {
			if err := p.feed(in, want, b.Shape[0]); err != nil {
				return err
			}
		}
		out, err := s.Run(ctx, in)
		if err != nil {
			return err
		}
		got := floatOutputs(sim, out)
		for _, t := range p.tensors {
			if out[t.Codes] == nil {
				continue // counts as missing
			}
			if got.Codes[t.Tensor], err = p.codes(out[t.Codes], t); err != nil {
				return err
			}
		}
		sum.Add(comparison.Of(p.tensors, want, got), b.First)
		if p.seen == nil {
			return nil
		}
		return p.seen(want, got, out)
	})
	return sum, err
}
