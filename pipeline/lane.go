package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// candidatePictures is the number of training pictures whose statistics a candidate's norms take. The path that is found
// has its norms estimated on more.
const candidatePictures = 2 * normBatch

// lane estimates the norms of candidates, on one thread and in a network of its own, so that lanes run side by side.
type lane struct {
	net      *fakequant.Network
	sim      *train.Simulation
	pool     *par.Pool
	pictures []normBatchOf // shared by all lanes
	controls []*control    // by the number of these batches less one; nil for what was trained
}

// normBatchOf is a batch of n prepared pictures.
type normBatchOf struct {
	x []float32
	n int
}

// openLanes returns a lane for every candidate that is scored at a time.
func (j *job) openLanes(ctx context.Context) ([]*lane, error) {
	if len(j.lanes) > 0 {
		return j.lanes, nil
	}
	augment, err := j.normAugmentation(j.trained())
	if err != nil {
		return nil, err
	}
	var pictures []normBatchOf
	err = j.normPictures(ctx, candidatePictures, augment, func(x []float32, n int) error {
		pictures = append(pictures, normBatchOf{append([]float32(nil), x...), n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	controls, err := j.laneControls(ctx, pictures)
	if err != nil {
		return nil, err
	}
	for range j.o.Workers() {
		l := &lane{pool: par.New(1), pictures: pictures, controls: controls}
		j.lanes = append(j.lanes, l)
		if l.net, err = j.trainable(); err != nil {
			return nil, err
		}
		if l.sim, err = train.NewSimulation(l.net, normBatch, l.pool); err != nil {
			return nil, err
		}
	}
	return j.lanes, nil
}

// laneControls are those of the first picture batches, of the first two, and so on.
func (j *job) laneControls(ctx context.Context, pictures []normBatchOf) ([]*control, error) {
	controls := make([]*control, len(pictures))
	if j.trained() {
		return controls, nil
	}
	n := 0
	for i, b := range pictures {
		n += b.n
		c, err := j.control(ctx, n)
		if err != nil {
			return nil, err
		}
		controls[i] = c
	}
	return controls, nil
}

// batchesOf hands out prepared pictures.
func batchesOf(pictures []normBatchOf) train.Batches {
	return func(_ context.Context, yield func([]float32, int) error) error {
		for _, b := range pictures {
			if err := yield(b.x, b.n); err != nil {
				return err
			}
		}
		return nil
	}
}

// norms are the statistics of a path's norms amid its own widths, over so many batches. Scored with those that training gathered amid random
// widths, candidates are told apart by how well they happen to fit them: on ResNet-20 at 3 bit such scores correlate with
// the loss of the exported file at 0.3, with statistics of their own at 0.85.
func (l *lane) norms(ctx context.Context, p quantize.Policy, batches int) (*quantize.Supernet, error) {
	norms := l.net.Norms(p)
	if len(norms.Arrays) == 0 {
		return norms, nil
	}
	batches = min(batches, len(l.pictures))
	if err := l.sim.ReestimateNorms(ctx, p, batchesOf(l.pictures[:batches])); err != nil {
		return nil, err
	}
	norms = l.net.Norms(p)
	if batches > 0 {
		l.controls[batches-1].correct(norms, p)
	}
	return norms, nil
}
