package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/models/dataset"
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

// control is that of so many pictures, as calibration left the network.
func (j *job) control(ctx context.Context, pictures int) (*control, error) {
	if c := j.controls[pictures]; c != nil {
		return c, nil
	}
	start, err := quantize.LoadSupernet(j.w.Path(startFile))
	if err != nil {
		return nil, err
	}
	own, seen, err := j.floatNorms(ctx, start, pictures, dataset.Augmentation{})
	if err != nil {
		return nil, err
	}
	if j.controls == nil {
		j.controls = map[int]*control{}
	}
	j.controls[pictures] = &control{j.plan, own, seen}
	return j.controls[pictures], nil
}

// floatNorms are the norms of the widest path of a supernet that runs without quantizers: its own, and those of training pictures.
func (j *job) floatNorms(ctx context.Context, s *quantize.Supernet, pictures int, augment dataset.Augmentation) (own, seen *quantize.Supernet, err error) {
	net, err := j.loaded(j.plan, s)
	if err != nil {
		return nil, nil, err
	}
	net.Disable()
	sim, err := train.NewSimulation(net, normBatch, j.pool)
	if err != nil {
		return nil, nil, err
	}
	widest := j.plan.Max()
	own = net.Norms(widest)
	err = sim.ReestimateNorms(ctx, widest, func(ctx context.Context, yield func([]float32, int) error) error {
		return j.normPictures(ctx, pictures, augment, yield)
	})
	return own, net.Norms(widest), err
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
