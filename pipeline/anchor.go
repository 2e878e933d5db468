package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// anchorPictures is the number of pictures whose statistics training begins with.
const anchorPictures = 2048

// anchored is a network that training can begin with: a plan's, loaded with a supernet. Training normalises by the statistics of
// its own batches, those of augmented training pictures, and not by the ones that came with the model or from calibration. So the
// norms take on the statistics of such pictures, and scales and shifts that make them the same functions as before. Else training
// would start from another function, and one of few pictures or updates would end before it has found the way back.
//
// Statistics are those of the widest path; float runs it without quantizers.
func (j *job) anchored(ctx context.Context, plan *quantize.Plan, s *quantize.Supernet, float bool) (*fakequant.Network, error) {
	const trained = true
	augment, err := j.normAugmentation(trained)
	if err != nil {
		return nil, err
	}
	probe, err := j.loaded(plan, s)
	if err != nil {
		return nil, err
	}
	if float {
		probe.Disable()
	}
	sim, err := train.NewSimulation(probe, normBatch, j.pool)
	if err != nil {
		return nil, err
	}
	widest := plan.Max()
	err = sim.ReestimateNorms(ctx, widest, func(ctx context.Context, yield func([]float32, int) error) error {
		return j.normPictures(ctx, anchorPictures, augment, yield)
	})
	if err != nil {
		return nil, err
	}
	net, err := j.loaded(plan, s)
	if err != nil {
		return nil, err
	}
	return net, net.Anchor(widest, probe.Norms(widest))
}
