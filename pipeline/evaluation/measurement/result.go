package measurement

import (
	"context"
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
)

// Result is the measurement of a network on a list of samples.
type Result struct {
	Tally     metric.Tally
	Outputs   metric.Outputs
	Logits    []float32 // rows [samples, Outputs.Row()] if Options.Keep is set
	Seconds   float64   // inside onnxruntime
	Agreement float64   // with the reference: see metric.Gap.Agreement
	KL        float64   // distance from the reference: see metric.Gap.Distance

	gap metric.Gap // from the reference
}

// Top1 is the share of right predictions, nil without labels.
func (r *Result) Top1() *float64 { return r.Tally.Share(r.Tally.Right) }

// Rate is the number of samples per second inside onnxruntime, 0 if it was not measured.
func (r *Result) Rate() float64 {
	if r.Seconds == 0 {
		return 0
	}
	return float64(r.Tally.N) / r.Seconds
}

// begin sets the outputs before the first rows. Later calls are an error if the outputs differ. It is also an error if
// the samples have labels, but no output consists of class scores.
func (r *Result) begin(list metric.Outputs) error {
	if r.Outputs != nil {
		return r.Outputs.Same(list)
	}
	r.Outputs, r.gap = list, metric.NewGap(list)
	if !r.Tally.Begin(list) {
		return fmt.Errorf("%w: no output is a row of class scores per sample; --no-labels works without", options.ErrUsage)
	}
	return nil
}

// add adds the rows y of a batch.
func (r *Result) add(ctx context.Context, y []float32, b samples.Batch, o Options) error {
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

// finish sets Agreement and KL if there was a reference.
func (r *Result) finish(o Options) {
	if o.Against == nil {
		return
	}
	r.KL, r.Agreement = r.gap.Distance(), r.gap.Agreement()
	if !r.Tally.Labels {
		r.Tally.Loss = r.KL * float64(r.Tally.N)
	}
}
