package norms

import (
	"context"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// CandidatePictures is the number of training pictures whose statistics a candidate's norms take. The path that is found has its norms
// estimated on more.
const CandidatePictures = 2 * BatchSize

// Worker estimates the norms of candidates, on one thread and in a network of its own, so that workers run side by side.
type Worker struct {
	net         *fakequant.Network
	sim         *train.Simulation
	pool        *par.Pool
	batches     []batch               // shared by all workers
	corrections []*baselineCorrection // by the number of these less one; nil for what was trained
}

// batch is one of n prepared pictures.
type batch struct {
	x []float32
	n int
}

// Workers starts n workers for a supernet that was trained or calibrated only. Callers close them.
func (e *Estimator) Workers(ctx context.Context, s *quantize.Supernet, n int, trained bool) ([]*Worker, error) {
	var batches []batch
	err := e.each(ctx, CandidatePictures, trained, func(x []float32, n int) error {
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

// worker is one without pictures.
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

// growing are the corrections of the first batch, of the first two, and so on.
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

// Batches is the number of batches that there are.
func (w *Worker) Batches() int { return len(w.batches) }

// Norms are means and variances of the norms of a path amid its own widths, over so many batches. Scored with those that training gathered
// amid random widths, candidates are told apart by how well they happen to fit them: on ResNet-20 at 3 bit such scores correlate with the
// loss of the exported file at 0.3, with statistics of their own at 0.85.
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
