package selection

import (
	"context"

	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// verdict compares the result of a search with the baseline on held-out samples: where the found policy is not better
// beyond doubt, the baseline becomes the result.
func (f *finder) verdict(ctx context.Context, res *search.Result) (*record.Verdict, error) {
	if res.Policy.Equal(res.Uniform) {
		return nil, nil
	}
	e, err := f.scorers.HeldOut(ctx)
	if err != nil {
		return nil, err
	}
	losses := make([][]float64, 2)
	err = e.Each(ctx, []quantize.Policy{res.Policy, res.Uniform}, func(i int, outputs []float32) { losses[i] = e.Distances(outputs) })
	if err != nil {
		return nil, err
	}
	v := record.Compare(losses[0], losses[1])
	v.Held, v.Searched = f.scorers.HeldOutKind()
	if !v.Won() {
		res.Policy, res.Score, res.Predicted = res.Uniform, res.UniformScore, res.UniformPredicted
		res.Steps = append(res.Steps, search.Step{
			Phase: "baseline", Loss: res.Score.Loss, Top1: res.Score.Top1, BitOPs: f.supernet.Plan.BitOPs(res.Policy),
		})
	}
	return v, nil
}
