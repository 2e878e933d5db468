package calibration

import (
	"context"
	"slices"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
)

// checkPoles refuses a network that computes no numbers once it is quantized: zeros arise where none were, and a
// quotient, a logarithm or a root of one is no number. It looks at n samples of calibration, and at those that norms
// are estimated on. Networks without such operators pass at once.
func (c *Calibrated) checkPoles(ctx context.Context, e *stage.Env, p *samples.Samples, n, norms int) error {
	if !slices.ContainsFunc(c.Model.Graph.Nodes(), quantize.IsPole) {
		return nil
	}
	net, err := c.Loaded(c.Plan, c.Start)
	if err != nil {
		return err
	}
	if err := net.Select(c.Plan.Max()); err != nil {
		return err
	}
	indices := slices.Concat(p.Some(n, "calibrate", e.Seed), p.Mixed(norms, "norms", e.Seed))
	source := func(ctx context.Context, yield func([]float32, int) error) error {
		return p.Each(ctx, p.Train, indices, min(Batch, n), func(b samples.Batch) error { return yield(b.X, b.N) })
	}
	return calibrate.CheckNumbers(ctx, net.Graph, c.Plan, source, Options(e, min(Batch, n)))
}
