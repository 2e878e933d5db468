package delivery

import (
	"context"

	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/samples"
)

// rate measures the speed of a file that onnxruntime is the runtime of. How fast it runs others says nothing.
func (v *verifier) rate(ctx context.Context, c *outcome) (err error) {
	if c.integers {
		c.file.FloatImagesPerS, c.file.ImagesPerS, err = v.compareSpeed(ctx, c.file.Path)
	}
	return err
}

// compareSpeed is the rate of the float model and of a file, in samples per second.
func (v *verifier) compareSpeed(ctx context.Context, path string) (float, file float64, err error) {
	data, remove, err := exportedDocument(v.env, v.supernet.Network, path)
	if err != nil {
		return 0, 0, err
	}
	defer remove()
	model, err := v.supernet.Network.Document(v.env)
	if err != nil {
		return 0, 0, err
	}
	return v.speed(ctx, model, data)
}

// speed compares two models on a batch of training samples.
func (v *verifier) speed(ctx context.Context, a, b session.Document) (rateA, rateB float64, err error) {
	p := v.sample
	var x []float32
	n := min(measurement.Batch, p.Train.Len())
	err = p.Each(ctx, p.Train, samples.All(n), n, func(b samples.Batch) error {
		x = append(x, b.X...)
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	return session.Speed(ctx, a, b, v.env.Machine.Provider, x, p.BatchShape(n))
}
