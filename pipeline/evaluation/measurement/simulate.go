package measurement

import (
	"context"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/quantize/integer"
)

// simulatedMACs bounds the work of a simulation, which is exact but slow: about 20 seconds on two cores without VNNI.
// Where the simulation has not seen all samples, the result of onnxruntime stands for the rest. It is not a time limit,
// because results must not depend on the machine.
const simulatedMACs = 5e11

// Sample returns the indices of the samples to simulate, out of as many as samples. macs is the number of
// multiply-accumulates per sample. All are chosen if simulatedMACs allows that, else as many as it allows, but no fewer
// than least. They are evenly spaced, because archives are sorted by class.
func Sample(samples int, macs int64, least int) []int {
	n := min(samples, max(least, int(simulatedMACs/max(macs, 1))))
	positions := make([]int, n)
	for i := range positions {
		positions[i] = int(int64(i) * int64(samples) / int64(n))
	}
	return positions
}

// Pick copies the rows at the given positions out of n rows.
func Pick(rows []float32, n int, positions []int) []float32 {
	row := len(rows) / max(n, 1)
	picked := make([]float32, 0, row*len(positions))
	for _, i := range positions {
		picked = append(picked, rows[i*row:(i+1)*row]...)
	}
	return picked
}

// Simulate measures the integer simulation of a network on the test samples with these indices. list describes its
// outputs.
func Simulate(ctx context.Context, sim *integer.Network, pool *par.Pool, p *samples.Samples, indices []int, list metric.Outputs, o Options) (*Result, error) {
	r := &Result{Tally: metric.Tally{Labels: p.Labels}}
	if err := r.begin(list); err != nil {
		return nil, err
	}
	err := p.Each(ctx, p.Test, indices, Batch, func(b samples.Batch) error {
		y, err := sim.Run(ctx, pool, b.X, b.N, false)
		if err != nil {
			return err
		}
		rows, err := list.Joined(append([][]float32{y.Logits}, y.More...), b.N)
		if err != nil {
			return err
		}
		if err := r.add(ctx, rows, b, o); err != nil {
			return err
		}
		o.seen(b.Done)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.finish(o)
	return r, nil
}
