package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/quantize/fakequant"
)

// anchorPictures is the number of pictures whose statistics training begins with.
const anchorPictures = 2048

// anchored is the network that training can begin with, loaded with the supernet. Training normalises by the statistics of its
// own batches, those of augmented training pictures, and not by the ones that came with the model or from calibration. So the
// norms take on the statistics of such pictures, and scales and shifts that make them the same functions as before. Else training
// would start from another function, and one of few pictures or updates would end before it has found the way back.
func (j *job) anchored(ctx context.Context) (*fakequant.Network, error) {
	const trained = true
	augment, err := j.normAugmentation(trained)
	if err != nil {
		return nil, err
	}
	_, seen, err := j.floatNorms(ctx, j.supernet, anchorPictures, augment)
	if err != nil {
		return nil, err
	}
	net, err := j.trainable()
	if err != nil {
		return nil, err
	}
	return net, net.Anchor(j.plan.Max(), seen)
}
