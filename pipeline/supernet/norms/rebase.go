package norms

import (
	"context"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// rebaseSamples is the number of samples for the statistics that training starts from.
const rebaseSamples = 2048

// Rebased returns a network to train, loaded with a supernet.
//
// Training normalises by the statistics of its batches of augmented samples, not by those that came with the model or
// from calibration. So the BatchNorms take over the statistics of such samples, and their scales and shifts are changed
// so that the function stays the same. Otherwise training would start from another function. A short training would end
// before it has found the way back.
func (e *Estimator) Rebased(ctx context.Context, s *quantize.Supernet) (*fakequant.Network, error) {
	_, seen, err := e.float(ctx, s, rebaseSamples, true)
	if err != nil {
		return nil, err
	}
	net, err := e.Network(s)
	if err != nil {
		return nil, err
	}
	return net, net.RebaseNorms(e.Plan.Max(), seen)
}
