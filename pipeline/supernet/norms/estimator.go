// Package norms re-estimates the statistics of BatchNorms on training samples for a given policy. Training gathers the
// statistics of a pair of bit-widths while the other layers draw random widths, not those of the policy. RFQuant (arXiv
// 2401.01543) does so for the policy that is found, universally slimmable networks (arXiv 1903.05134) for any subnet.
package norms

import (
	"context"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// Version rises when re-estimation gives other statistics with the same options.
const Version = 3

// BatchSize is the size of the batches whose statistics are averaged. It is large enough that later layers normalise as
// in training.
const BatchSize = 64

// Estimator re-estimates the BatchNorm statistics of supernets that started from one calibration.
type Estimator struct {
	Plan *quantize.Plan
	// returns a network with the quantizers of Plan, loaded with a supernet
	Network     func(*quantize.Supernet) (*fakequant.Network, error)
	Start       func() (*quantize.Supernet, error) // returns the supernet as calibration left it
	Samples     *samples.Samples
	Augment     dataset.Augmentation // of training
	Seed        uint64
	Pool        *par.Pool
	Corrections Corrections // nil: nothing is cached
}

// Norms re-estimates the means and variances of a policy of a supernet, averaged over training samples.
//
// A supernet that was trained sees the samples augmented as in training, because its weights are used to these. On a
// ResNet-20 that was trained with crops, which bring black borders in, plain samples cost 1.5 points of top-1 on
// held-out training samples. A supernet that was calibrated only sees plain samples, and the baseline correction is
// applied.
func (e *Estimator) Norms(ctx context.Context, s *quantize.Supernet, p quantize.Policy, samples int, trained bool) (*quantize.Supernet, error) {
	net, err := e.Network(s)
	if err != nil {
		return nil, err
	}
	if err := e.reestimate(ctx, net, p, samples, trained); err != nil {
		return nil, err
	}
	norms := net.Norms(p)
	if trained {
		return norms, nil
	}
	c, err := e.correction(ctx, samples)
	if err != nil {
		return nil, err
	}
	c.correct(norms, p)
	return norms, nil
}

// reestimate sets the statistics that a policy uses in net to those of training samples, augmented or plain.
func (e *Estimator) reestimate(ctx context.Context, net *fakequant.Network, p quantize.Policy, samples int, augmented bool) error {
	sim, err := train.NewSimulation(net, BatchSize, e.Pool)
	if err != nil {
		return err
	}
	return sim.ReestimateNorms(ctx, p, func(ctx context.Context, yield func([]float32, int) error) error {
		return e.each(ctx, samples, augmented, yield)
	})
}

// each yields batches of n training samples in random order: see samples.Mixed.
func (e *Estimator) each(ctx context.Context, n int, augmented bool, yield func([]float32, int) error) error {
	o := dataset.LoaderOptions{Batch: BatchSize, Indices: e.Samples.Mixed(n, "norms", e.Seed), Seed: e.Seed}
	if augmented {
		o.Augment = e.Augment
	}
	return samples.EachOf(ctx, e.Samples.Train, o, func(b samples.Batch) error { return yield(b.X, b.N) })
}
