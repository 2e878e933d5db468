package train

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Simulation runs a network without training it. It belongs to one goroutine, and must not run at the same time as a
// Trainer of the same network.
type Simulation struct {
	net  *fakequant.Network
	exec *engine.Exec
}

// NewSimulation prepares runs of at most batch samples. It is an error if the buffers do not fit the memory.
func NewSimulation(net *fakequant.Network, batch int, pool *par.Pool) (*Simulation, error) {
	return NewWatched(net, engine.Options{Batch: batch, Pool: pool})
}

// NewWatched is NewSimulation with all options of the engine, such as values that stay readable after a run.
func NewWatched(net *fakequant.Network, o engine.Options) (*Simulation, error) {
	exec, err := engine.Compile(net.Graph, o)
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	return &Simulation{net, exec}, nil
}

// Outputs runs policy q on n samples x, [n, ...] as the network's input. It returns the outputs, each [n, ...]
// row-major, in the order of the graph. They alias buffers that the next call overwrites.
//
// It is an error if q does not fit the plan, if x has another length, or if the context ends.
func (s *Simulation) Outputs(ctx context.Context, q quantize.Policy, x []float32, n int) ([][]float32, error) {
	if err := s.net.Select(q); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	s.exec.SetTraining(false)
	if err := s.run(ctx, x, n); err != nil {
		return nil, err
	}
	out := make([][]float32, len(s.net.Graph.Outputs))
	for k := range out {
		out[k] = s.exec.Output(k).Data
	}
	return out, nil
}

// Value returns what the last run left in a watched value.
func (s *Simulation) Value(v *engine.Value) engine.Buf { return s.exec.Value(v) }

// run runs the selected policy on n samples.
func (s *Simulation) run(ctx context.Context, x []float32, n int) error {
	if err := s.exec.SetBatch(n); err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	in := s.exec.Input(0)
	if len(x) != len(in.Data) {
		return fmt.Errorf("simulate: %d input elements for a batch of %s", len(x), in.Shape)
	}
	copy(in.Data, x)
	s.net.Tap(fakequant.Off, nil, 0)
	if err := s.exec.Forward(ctx); err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	return nil
}

// Batches calls yield with one batch after another: n samples x, [n, ...] as the network's input.
type Batches func(ctx context.Context, yield func(x []float32, n int) error) error

// ReestimateNorms sets the running statistics of the BatchNorms that policy q uses to their averages over all samples
// of the source. Statistics that training gathered lag behind the weights, and mix the inputs of many policies.
//
// Re-estimation after training is part of RFQuant (arXiv 2401.01543). It is an error if the source yields nothing.
func (s *Simulation) ReestimateNorms(ctx context.Context, q quantize.Policy, source Batches) error {
	if err := s.net.Select(q); err != nil {
		return fmt.Errorf("re-estimate norms: %w", err)
	}
	s.exec.SetTraining(true)
	defer s.exec.SetTraining(false)
	keep := s.net.KeepStatistics(0)
	defer s.net.KeepStatistics(keep)
	seen := 0
	err := source(ctx, func(x []float32, n int) error {
		s.net.KeepStatistics(float32(float64(seen) / float64(seen+n)))
		seen += n
		return s.run(ctx, x, n)
	})
	if err != nil {
		return fmt.Errorf("re-estimate norms: %w", err)
	}
	if seen == 0 {
		return fmt.Errorf("re-estimate norms: no samples")
	}
	return nil
}
