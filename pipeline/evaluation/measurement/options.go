package measurement

import (
	"context"

	"github.com/mpqc/mpqc/pipeline/pictures"
)

// Batch is that of measurements, where a model does not fix its own.
const Batch = 64

// Options of Run and Simulate, which say what they do beside counting.
type Options struct {
	Keep    bool           // the outputs of all pictures
	Against Against        // nil: nothing is compared
	Seen    func(done int) // is told after every batch how many pictures were seen; nil: nobody is
}

func (o Options) seen(done int) {
	if o.Seen != nil {
		o.Seen(done)
	}
}

// Against gives the outputs of another model for the pictures of a batch.
type Against func(ctx context.Context, b pictures.Batch) ([]float32, error)

// Kept are outputs of n pictures that were kept; nil for none.
func Kept(logits []float32, n int) Against {
	if logits == nil {
		return nil
	}
	classes := len(logits) / max(n, 1)
	return func(_ context.Context, b pictures.Batch) ([]float32, error) {
		return logits[b.First*classes : b.Done*classes], nil
	}
}
