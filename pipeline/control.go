package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/train"
)

// control takes out of the statistics of norms what the choice of pictures put in. The network without quantizers, on the same
// pictures, has statistics that differ from its own ones, which came with the model or from calibration, by that choice alone; what
// a path adds to it is quantization. An EfficientNet at 8 bits, estimated on 500 pictures, agrees with its float model on 94.4 % of
// others, with control on 97.8 %.
type control struct {
	plan      *quantize.Plan
	own, seen *quantize.Supernet // norms of the widest path
}

// control runs the network without quantizers, from the state before training, over pictures.
func (j *job) control(ctx context.Context, pool *par.Pool, pictures train.Batches) (*control, error) {
	start, err := quantize.LoadSupernet(j.w.Path(startFile))
	if err != nil {
		return nil, err
	}
	net, err := j.loaded(j.plan, start)
	if err != nil {
		return nil, err
	}
	net.Disable()
	sim, err := train.NewSimulation(net, normBatch, pool)
	if err != nil {
		return nil, err
	}
	widest := j.plan.Max()
	own := net.Norms(widest)
	if err := sim.ReestimateNorms(ctx, widest, pictures); err != nil {
		return nil, err
	}
	return &control{j.plan, own, net.Norms(widest)}, nil
}

// correct changes the means and variances of the norms of a path, which were estimated on the pictures of c. nil changes nothing.
func (c *control) correct(norms *quantize.Supernet, p quantize.Policy) {
	if c == nil {
		return
	}
	widest := c.plan.Max()
	for i, l := range c.plan.Layers {
		w, a := c.plan.Bits(p, i)
		atW, atA := c.plan.Bits(widest, i)
		part := func(name string) (values, own, seen []float32) {
			at := quantize.NormName(l.Node, atW, atA, name)
			return norms.Arrays[quantize.NormName(l.Node, w, a, name)].Data, c.own.Arrays[at].Data, c.seen.Arrays[at].Data
		}
		mean, own, seen := part("mean")
		for k := range mean {
			mean[k] = own[k] + (mean[k] - seen[k])
		}
		variance, own, seen := part("var")
		for k, v := range seen {
			if v > 0 {
				variance[k] = own[k] * (variance[k] / v)
			}
		}
	}
}
