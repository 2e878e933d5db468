package norms

import (
	"context"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// CandidateSamples is the number of training samples that BatchNorm is re-estimated on for a candidate of the search.
// The policy that is found is re-estimated on more.
const CandidateSamples = 2 * BatchSize

// Worker re-estimates BatchNorm for candidates, on one thread and in a network of its own. Workers can run in parallel.
type Worker struct {
	net         *fakequant.Network
	sim         *train.Simulation
	pool        *par.Pool
	batches     []batch               // shared by all workers
	corrections []*baselineCorrection // by number of batches less one; nil elements for a trained supernet
}

// batch is n prepared samples x [n, ...].
type batch struct {
	x []float32
	n int
}

// Workers returns n workers for a supernet. trained says whether it was trained or only calibrated. The caller closes
// them.
func (e *Estimator) Workers(ctx context.Context, s *quantize.Supernet, n int, trained bool) ([]*Worker, error) {
	var batches []batch
	err := e.each(ctx, CandidateSamples, trained, func(x []float32, n int) error {
		batches = append(batches, batch{append([]float32(nil), x...), n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	corrections := make([]*baselineCorrection, len(batches))
	if !trained {
		if corrections, err = e.growing(ctx, batches); err != nil {
			return nil, err
		}
	}
	var list []*Worker
	for range n {
		w, err := e.worker(s)
		if err != nil {
			for _, w := range list {
				w.Close()
			}
			return nil, err
		}
		w.batches, w.corrections = batches, corrections
		list = append(list, w)
	}
	return list, nil
}

// worker returns a worker without samples.
func (e *Estimator) worker(s *quantize.Supernet) (*Worker, error) {
	net, err := e.Network(s)
	if err != nil {
		return nil, err
	}
	w := &Worker{net: net, pool: par.New(1)}
	if w.sim, err = train.NewSimulation(net, BatchSize, w.pool); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// growing returns the corrections for the first batch, for the first two, and so on.
func (e *Estimator) growing(ctx context.Context, batches []batch) ([]*baselineCorrection, error) {
	corrections, n := make([]*baselineCorrection, len(batches)), 0
	for i, b := range batches {
		n += b.n
		c, err := e.correction(ctx, n)
		if err != nil {
			return nil, err
		}
		corrections[i] = c
	}
	return corrections, nil
}

// Close ends the thread of the worker.
func (w *Worker) Close() { w.pool.Close() }

// Batches is the number of batches that the worker has.
func (w *Worker) Batches() int { return len(w.batches) }

// Norms re-estimates the means and variances of policy p on the given number of batches, at most Batches.
//
// With the statistics that training gathered while other layers drew random widths, candidates are ranked by how well
// they happen to fit those. On a ResNet-20 at 3 bit such scores correlate with the loss of the exported file at 0.3,
// and at 0.85 with statistics of their own.
func (w *Worker) Norms(ctx context.Context, p quantize.Policy, batches int) (*quantize.Supernet, error) {
	norms := w.net.Norms(p)
	if len(norms.Arrays) == 0 {
		return norms, nil
	}
	batches = min(batches, len(w.batches))
	err := w.sim.ReestimateNorms(ctx, p, func(_ context.Context, yield func([]float32, int) error) error {
		for _, b := range w.batches[:batches] {
			if err := yield(b.x, b.n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	norms = w.net.Norms(p)
	if batches > 0 {
		w.corrections[batches-1].correct(norms, p)
	}
	return norms, nil
}
