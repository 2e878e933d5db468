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

// Lane estimates the norms of candidates, on one thread and in a network of its own, so that lanes run side by side.
type Lane struct {
	net      *fakequant.Network
	sim      *train.Simulation
	pool     *par.Pool
	batches  []batch    // shared by all lanes
	controls []*control // by the number of these less one; nil for what was trained
}

// batch is one of n prepared pictures.
type batch struct {
	x []float32
	n int
}

// Lanes are as many as wanted, for a supernet that was trained or calibrated only. Callers close them.
func (e *Estimator) Lanes(ctx context.Context, s *quantize.Supernet, lanes int, trained bool) ([]*Lane, error) {
	var batches []batch
	err := e.each(ctx, CandidatePictures, trained, func(x []float32, n int) error {
		batches = append(batches, batch{append([]float32(nil), x...), n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	controls := make([]*control, len(batches))
	if !trained {
		if controls, err = e.growing(ctx, batches); err != nil {
			return nil, err
		}
	}
	var list []*Lane
	for range lanes {
		l, err := e.lane(s)
		if err != nil {
			for _, l := range list {
				l.Close()
			}
			return nil, err
		}
		l.batches, l.controls = batches, controls
		list = append(list, l)
	}
	return list, nil
}

// lane is one without pictures.
func (e *Estimator) lane(s *quantize.Supernet) (*Lane, error) {
	net, err := e.Network(s)
	if err != nil {
		return nil, err
	}
	l := &Lane{net: net, pool: par.New(1)}
	if l.sim, err = train.NewSimulation(net, BatchSize, l.pool); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// growing are the controls of the first batch, of the first two, and so on.
func (e *Estimator) growing(ctx context.Context, batches []batch) ([]*control, error) {
	controls, n := make([]*control, len(batches)), 0
	for i, b := range batches {
		n += b.n
		c, err := e.control(ctx, n)
		if err != nil {
			return nil, err
		}
		controls[i] = c
	}
	return controls, nil
}

// Close ends the thread of the lane.
func (l *Lane) Close() { l.pool.Close() }

// Batches is the number of batches that there are.
func (l *Lane) Batches() int { return len(l.batches) }

// Norms are means and variances of the norms of a path amid its own widths, over so many batches. Scored with those that training gathered
// amid random widths, candidates are told apart by how well they happen to fit them: on ResNet-20 at 3 bit such scores correlate with the
// loss of the exported file at 0.3, with statistics of their own at 0.85.
func (l *Lane) Norms(ctx context.Context, p quantize.Policy, batches int) (*quantize.Supernet, error) {
	norms := l.net.Norms(p)
	if len(norms.Arrays) == 0 {
		return norms, nil
	}
	batches = min(batches, len(l.batches))
	err := l.sim.ReestimateNorms(ctx, p, func(_ context.Context, yield func([]float32, int) error) error {
		for _, b := range l.batches[:batches] {
			if err := yield(b.x, b.n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	norms = l.net.Norms(p)
	if batches > 0 {
		l.controls[batches-1].correct(norms, p)
	}
	return norms, nil
}
