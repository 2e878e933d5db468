package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// compareBatch is the batch of a comparison code by code: all codes of it are in memory twice.
const compareBatch = 8

// compareCodes runs the simulation and the file in the runtime on held-out pictures and compares every code.
func (j *job) compareCodes(ctx context.Context, m *onnx.Model, sim *integer.Network) (export.Comparison, error) {
	var sum export.Comparison
	withCodes, tensors, err := export.WithCodes(m)
	if err != nil {
		return sum, err
	}
	if sum.Missing = unmatched(sim, tensors); len(sum.Missing) > 0 {
		return sum, nil
	}
	model, remove, err := j.document(withCodes)
	if err != nil {
		return sum, err
	}
	defer remove()
	s, err := model.Open(ort.Options{Threads: lanes(j.o.Threads), Optimize: true, Provider: j.o.Provider})
	if err != nil {
		return sum, err
	}
	defer func() { _ = s.Close() }()
	input := m.Graph.Inputs()[0].Name()
	if err := j.checkTest(ctx); err != nil {
		return sum, err
	}
	indices := draw(j.data.test.Len(), j.o.VerifySamples, "verify", *j.o.Seed)
	err = j.data.each(ctx, j.data.test, indices, compareBatch, func(b batchOf) error {
		want, err := sim.Run(ctx, j.pool, b.x, b.n, true)
		if err != nil {
			return err
		}
		out, err := s.Run(ctx, map[string]*tensor.Tensor{input: tensor.From(j.data.batchShape(b.n), b.x)})
		if err != nil {
			return err
		}
		got := floatOutputs(sim, out)
		for _, t := range tensors {
			if out[t.Codes] != nil {
				got.Codes[t.Tensor] = out[t.Codes].Raw
			}
		}
		sum.Add(export.Compare(tensors, wanted(sim, want), got), b.first)
		return nil
	})
	return sum, err
}

// wanted is what the simulation computed, as a comparison takes it.
func wanted(sim *integer.Network, r *integer.Result) export.Outputs {
	names := sim.Outputs()
	o := export.Outputs{Codes: r.Codes, Name: names[0], Logits: r.Logits, Classes: r.Classes}
	for i, v := range r.More {
		o.More = append(o.More, export.Output{Name: names[1+i], Values: v, Per: sim.Sizes()[1+i]})
	}
	return o
}

// floatOutputs are the outputs of a file that the simulation has, too; nil where the file lacks one or has another type.
func floatOutputs(sim *integer.Network, out map[string]*tensor.Tensor) export.Outputs {
	got := export.Outputs{Codes: map[string][]uint8{}}
	for i, name := range sim.Outputs() {
		var values []float32
		if t := out[name]; t != nil && t.DType == tensor.Float32 {
			values, _ = tensor.Floats(t) // of float32 this cannot fail
		}
		if i == 0 {
			got.Logits = values
		} else {
			got.More = append(got.More, export.Output{Name: name, Values: values})
		}
	}
	return got
}

// unmatched lists the tensors that only one of a file and the simulation has.
func unmatched(sim *integer.Network, tensors []export.TensorBits) (missing []string) {
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

// simulationTime bounds how long the simulation runs over the test pictures. It is exact but not fast; where it has not
// seen all pictures by then, the runtime's result stands for the rest, which verification makes equal.
const simulationTime = 60 * time.Second

// errEnough ends a loop over pictures before its end.
var errEnough = errors.New("enough")

// simulate runs the simulation over pictures of the test split, as many as simulationTime allows.
func (j *job) simulate(ctx context.Context, sim *integer.Network, set *dataset.Set, indices []int, m measurement) (*reference, error) {
	r := &reference{tally: metric.Tally{Labels: j.data.labels}}
	list, err := j.outputs()
	if err == nil {
		err = r.begin(list)
	}
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(simulationTime)
	rep := j.o.Events.start(StageVerify, "simulation", "")
	err = j.data.each(ctx, set, indices, evalBatch, func(b batchOf) error {
		if time.Now().After(deadline) {
			return errEnough
		}
		y, err := sim.Run(ctx, j.pool, b.x, b.n, false)
		if err != nil {
			return err
		}
		rows, err := list.Joined(append([][]float32{y.Logits}, y.More...), b.n)
		if err != nil {
			return err
		}
		if err := r.add(ctx, rows, b, m); err != nil {
			return err
		}
		rep.progress(int64(b.done), int64(len(indices)), "")
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	r.finish(m)
	return r, nil
}

// network builds the simulation of a path as files of a profile compute it.
func (j *job) network(supernet *quantize.Supernet, p quantize.Policy, profile string) (*integer.Network, error) {
	plan, err := export.For(j.model, j.plan, profile)
	if err != nil {
		return nil, err
	}
	n, err := integer.BuildWith(j.model, plan, supernet, p, decode.Function)
	if err != nil {
		return nil, fmt.Errorf("build the simulation: %w", err)
	}
	return n, nil
}
