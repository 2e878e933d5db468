package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
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
	model, remove, err := j.document(withCodes)
	if err != nil {
		return sum, err
	}
	defer remove()
	s, err := model.open(ort.Options{Threads: lanes(j.o.Threads), Optimize: true, Provider: j.o.Provider})
	if err != nil {
		return sum, err
	}
	defer func() { _ = s.Close() }()
	input, output := m.Graph.Inputs()[0].Name(), m.Graph.Outputs()[0].Name()
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
		got := export.Outputs{Codes: map[string][]uint8{}, Classes: want.Classes}
		for _, t := range tensors {
			if out[t.Codes] != nil {
				got.Codes[t.Tensor] = out[t.Codes].Raw
			}
		}
		if got.Logits, err = tensor.Floats(out[output]); err != nil {
			return err
		}
		add(&sum, export.Compare(tensors, export.Outputs{Codes: want.Codes, Logits: want.Logits, Classes: want.Classes}, got))
		return nil
	})
	return sum, err
}

// add takes the comparison of one batch into that of all.
func add(sum *export.Comparison, c export.Comparison) {
	sum.Compared += c.Compared
	sum.Different += c.Different
	sum.MaxCode = max(sum.MaxCode, c.MaxCode)
	sum.Flips += c.Flips
	sum.MaxAbsDiff = max(sum.MaxAbsDiff, c.MaxAbsDiff)
	if sum.First == nil {
		sum.First = c.First
	}
	if len(sum.Missing) == 0 {
		sum.Missing = c.Missing
	}
}

// simulationTime bounds how long the simulation runs over the test pictures. It is exact but not fast; where it has not
// seen all pictures by then, the runtime's result stands for the rest, which verification makes equal.
const simulationTime = 60 * time.Second

// errEnough ends a loop over pictures before its end.
var errEnough = errors.New("enough")

// simulate runs the simulation over pictures of the test split, as many as simulationTime allows.
func (j *job) simulate(ctx context.Context, sim *integer.Network, set *dataset.Set, indices []int, against []float32) (*reference, error) {
	r := &reference{tally: tally{labels: j.data.labels}}
	deadline := time.Now().Add(simulationTime)
	rep := j.o.Events.start(StageVerify, "simulation", "")
	err := j.data.each(ctx, set, indices, evalBatch, func(b batchOf) error {
		if time.Now().After(deadline) {
			return errEnough
		}
		y, err := sim.Run(ctx, j.pool, b.x, b.n, false)
		if err != nil {
			return err
		}
		return r.add(y.Logits, b, against, rep, len(indices))
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	r.compare(against[:min(len(against), len(r.logits))])
	return r, nil
}

// network builds the simulation of a path as files of a profile compute it.
func (j *job) network(supernet *quantize.Supernet, p quantize.Policy, profile string) (*integer.Network, error) {
	plan, err := export.For(j.model, j.plan, profile)
	if err != nil {
		return nil, err
	}
	n, err := integer.BuildWith(j.model, plan, supernet, p, floatOperator)
	if err != nil {
		return nil, fmt.Errorf("build the simulation: %w", err)
	}
	return n, nil
}
