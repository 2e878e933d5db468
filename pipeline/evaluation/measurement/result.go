package measurement

import (
	"context"
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/pictures"
)

// Result is a network measured over a list of pictures.
type Result struct {
	Tally     metric.Tally
	Outputs   metric.Outputs
	Logits    []float32 // rows of outputs [pictures, Outputs.Row()], where they are kept
	Seconds   float64   // inside the runtime
	Agreement float64   // with what it is compared with
	KL        float64   // distance from it

	gap metric.Gap // from it
}

// Top1 is the share of right predictions, nil without labels.
func (r *Result) Top1() *float64 { return r.Tally.Share(r.Tally.Right) }

// Rate is the number of pictures per second inside the runtime, 0 for none.
func (r *Result) Rate() float64 {
	if r.Seconds == 0 {
		return 0
	}
	return float64(r.Tally.N) / r.Seconds
}

// begin notes what rows consist of, before the first of them.
func (r *Result) begin(list metric.Outputs) error {
	if r.Outputs != nil {
		return r.Outputs.Same(list)
	}
	r.Outputs, r.gap = list, metric.NewGap(list)
	if !r.Tally.Begin(list) {
		return fmt.Errorf("%w: no output is a row of class scores per picture; --no-labels works without", options.ErrUsage)
	}
	return nil
}

// add takes the rows of a batch.
func (r *Result) add(ctx context.Context, y []float32, b pictures.Batch, o Options) error {
	if o.Against != nil {
		other, err := o.Against(ctx, b)
		if err != nil {
			return err
		}
		if len(other) != len(y) {
			return errors.New("the two models have different numbers of outputs")
		}
		r.gap.Add(other, y, b.N)
	}
	r.Tally.Add(r.Outputs, y, b.N, b.Labels)
	if o.Keep {
		r.Logits = append(r.Logits, y...)
	}
	return nil
}

// finish turns sums over pictures into means where there was something to compare with.
func (r *Result) finish(o Options) {
	if o.Against == nil {
		return
	}
	r.KL, r.Agreement = r.gap.Distance(), r.gap.Agreement()
	if !r.Tally.Labels {
		r.Tally.Loss = r.KL * float64(r.Tally.N)
	}
}
