package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/quantize"
)

// baseline is the budget-filled uniform baseline on the test pictures.
type baseline struct {
	Top1 *float64    `json:"top1"`
	Hits metric.Hits `json:"hits,omitempty"`
}

// uniform measures the baseline of a target beside the result, whose predictions were right where result says.
func (j *job) uniform(ctx context.Context, target string, res *search.Result, row *TargetResult, result metric.Hits) error {
	if res.Policy.Equal(res.Uniform) || !j.data.labels {
		row.Uniform.Top1 = row.Metric.Top1
		return nil
	}
	key, err := j.testKey("paired uniform", j.supernetPrint(), res.Uniform, j.o.NormSamples, j.o.Profiles[0])
	if err != nil {
		return err
	}
	b, err := cached(j.w, "scores/"+fileName(target)+".uniform.json", key, func() (baseline, error) {
		return j.measureUniform(ctx, target, res.Uniform)
	})
	if err != nil {
		return err
	}
	row.Uniform.Top1, row.Uniform.Gain = b.Top1, gainOf(result, b.Hits)
	return nil
}

// measureUniform treats the baseline as the result was: norms re-estimated, exported, run in the runtime.
func (j *job) measureUniform(ctx context.Context, target string, p quantize.Policy) (baseline, error) {
	var none baseline
	indices, err := j.testIndices(ctx)
	if err != nil {
		return none, err
	}
	rep := j.o.Events.start(StageEval, target+" uniform", "")
	supernet, err := j.reestimate(ctx, p, "")
	if err != nil {
		return none, err
	}
	if supernet, _, err = runnable(j.plan, supernet, p, j.o.Profiles[0]); err != nil {
		return none, err
	}
	m, err := export.Export(j.model, j.plan, supernet, p, export.Options{Profile: j.o.Profiles[0]})
	if err != nil {
		return none, err
	}
	if m, err = export.Standard(m); err != nil {
		return none, err
	}
	model, remove, err := j.document(m)
	if err != nil {
		return none, err
	}
	defer remove()
	r, err := j.measure(ctx, model, j.data.test, indices, measurement{}, rep)
	if err != nil {
		return none, err
	}
	rep.done("")
	return baseline{r.top1(), r.tally.Hits}, nil
}

// gainOf pairs the predictions of a result with those of the baseline.
func gainOf(result, uniform metric.Hits) *Gain {
	if len(result) == 0 || len(result) != len(uniform) {
		return nil
	}
	v := compare(result.Misses(), uniform.Misses())
	return &Gain{Top1: v.Gain, Interval: v.Interval}
}
