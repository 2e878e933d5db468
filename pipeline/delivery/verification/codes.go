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

// Codes compares the file m with the simulation on held-out samples, end to end: each computes from its own codes, and
// every code is compared.
func (c Check) Codes(ctx context.Context, m *onnx.Model, sim *integer.Network) (comparison.Comparison, error) {
	withCodes, tensors, err := comparison.WithCodes(m)
	if err != nil {
		return comparison.Comparison{}, err
	}
	return c.compare(ctx, probe{
		model: withCodes, tensors: tensors, options: ort.Options{Threads: c.Threads, Optimize: true, Provider: c.Provider},
		codes: func(out *tensor.Tensor, _ metadata.TensorBits) ([]uint8, error) { return out.Raw, nil },
	}, sim)
}

// wanted converts a result of the simulation to the form of a comparison.
func wanted(sim *integer.Network, r *integer.Result) comparison.Outputs {
	names := sim.Outputs()
	o := comparison.Outputs{Codes: r.Codes, Name: names[0], Logits: r.Logits, Classes: r.Classes, Unsteady: sim.Unsteady()}
	for i, v := range r.More {
		o.More = append(o.More, comparison.Output{Name: names[1+i], Values: v, Per: sim.Sizes()[1+i]})
	}
	return o
}

// floatOutputs picks the outputs of the simulation out of those of a file. An output is nil where the file lacks it or
// has another type.
func floatOutputs(sim *integer.Network, out map[string]*tensor.Tensor) comparison.Outputs {
	got := comparison.Outputs{Codes: map[string][]uint8{}}
	for i, name := range sim.Outputs() {
		var values []float32
		if t := out[name]; t != nil && t.DType == tensor.Float32 {
			values, _ = tensor.Floats(t) // of float32 this cannot fail
		}
		if i == 0 {
			got.Logits = values
		} else {
			got.More = append(got.More, comparison.Output{Name: name, Values: values})
		}
	}
	return got
}

// unmatched lists tensors that occur in the file or in the simulation, but not in both.
func unmatched(sim *integer.Network, tensors []metadata.TensorBits) (missing []string) {
	have := sim.Shapes()
	for _, t := range tensors {
		if _, ok := have[t.Tensor]; !ok {
			missing = append(missing, t.Tensor)
		}
		delete(have, t.Tensor)
	}
	for _, key := range sim.Tensors() {
		if _, left := have[key]; left {
			missing = append(missing, key)
		}
	}
	return missing
}
