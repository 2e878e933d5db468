package measurement

import (
	"context"

	"github.com/mpqc/mpqc/pipeline/samples"
)

// Batch is the batch size of measurements of models with an open batch.
const Batch = 64

// Options of Run and Simulate.
type Options struct {
	Keep    bool           // keep the outputs of all samples in Result.Logits
	Against Against        // reference to compare with; nil: none
	Seen    func(done int) // called after every batch with the number of samples so far; may be nil
}

// seen calls Seen if it is set.
func (o Options) seen(done int) {
	if o.Seen != nil {
		o.Seen(done)
	}
}

// Against returns the rows of the reference for a batch.
type Against func(ctx context.Context, b samples.Batch) ([]float32, error)

// Kept returns an Against for stored rows logits of n samples. It is nil if logits is nil.
func Kept(logits []float32, n int) Against {
	if logits == nil {
		return nil
	}
	classes := len(logits) / max(n, 1)
	return func(_ context.Context, b samples.Batch) ([]float32, error) {
		return logits[b.First*classes : b.Done*classes], nil
	}
}
