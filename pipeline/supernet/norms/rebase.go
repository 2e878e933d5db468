package norms

import (
	"context"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// rebasePictures is the number of pictures whose statistics training begins with.
const rebasePictures = 2048

// Rebased is the network that training can begin with, loaded with a supernet. Training normalises by the statistics of its own batches,
// those of augmented training pictures, and not by the ones that came with the model or from calibration. So the norms take on the
// statistics of such pictures, and scales and shifts that make them the same functions as before. Else training would start from another
// function, and one of few pictures or updates would end before it has found the way back.
func (e *Estimator) Rebased(ctx context.Context, s *quantize.Supernet) (*fakequant.Network, error) {
	_, seen, err := e.float(ctx, s, rebasePictures, true)
	if err != nil {
		return nil, err
	}
	net, err := e.Network(s)
	if err != nil {
		return nil, err
	}
	return net, net.RebaseNorms(e.Plan.Max(), seen)
}
