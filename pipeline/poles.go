package pipeline

import (
	"context"
	"slices"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/quantize"
)

// checkPoles refuses a network that computes no numbers once it is quantized: zeros arise where none were, and a quotient, a
// logarithm or a root of one is none. It looks at the pictures of calibration and at those that norms are estimated on. Networks
// without such operators pass at once.
func (j *job) checkPoles(ctx context.Context, batch int) error {
	if !slices.ContainsFunc(j.model.Graph.Nodes(), func(n *onnx.Node) bool { return quantize.IsPole(n) }) {
		return nil
	}
	net, err := j.trainable()
	if err != nil {
		return err
	}
	if err := net.Select(j.plan.Max()); err != nil {
		return err
	}
	seed := *j.o.Seed
	indices := slices.Concat(j.data.Some(min(j.o.CalibrateSamples, j.data.Train.Len()), "calibrate", seed), j.data.Mixed(j.o.NormSamples, "norms", seed))
	source := func(ctx context.Context, yield func([]float32, int) error) error {
		return j.data.Each(ctx, j.data.Train, indices, batch, func(b pictures.Batch) error { return yield(b.X, b.N) })
	}
	return calibrate.CheckNumbers(ctx, net.Graph, j.plan, source, calibrate.Options{Batch: batch, Pool: j.pool, MaxBytes: j.o.MaxMemory})
}
