package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/quantize"
)

// measured is a policy on the test pictures, as a file of the first profile runs it.
type measured struct {
	Metric Metric      `json:"metric"`
	Hits   metric.Hits `json:"hits,omitempty"` // behind Metric.Top1
}

// uniform measures the baseline of a target beside the result, whose predictions were right where result says.
func (j *job) uniform(ctx context.Context, target string, res *search.Result, row *TargetResult, result metric.Hits) error {
	if res.Policy.Equal(res.Uniform) || !j.data.labels {
		row.Uniform.Top1 = row.Metric.Top1
		return nil
	}
	key, err := j.testKey("measured uniform", j.supernetPrint(), res.Uniform, j.o.NormSamples, j.o.Profiles[0])
	if err != nil {
		return err
	}
	b, err := cached(j.w, "scores/"+fileName(target)+".uniform.json", key, func() (measured, error) {
		return j.measurePolicy(ctx, target+" uniform", res.Uniform)
	})
	if err != nil {
		return err
	}
	row.Uniform.Top1, row.Uniform.Gain = b.Metric.Top1, gainOf(result, b.Hits)
	return nil
}

// measurePolicy treats a policy as the result is treated: norms re-estimated, exported, run in the runtime.
func (j *job) measurePolicy(ctx context.Context, title string, p quantize.Policy) (measured, error) {
	var none measured
	base, err := j.floatReference(ctx)
	if err != nil {
		return none, err
	}
	indices, err := j.testIndices(ctx)
	if err != nil {
		return none, err
	}
	rep := j.o.Events.start(StageEval, title, "")
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
	r, err := j.measure(ctx, model, j.data.test, indices, measurement{against: stored(base.logits, base.tally.N)}, rep)
	if err != nil {
		return none, err
	}
	rep.done("")
	return measured{Metric{Top1: r.top1(), Loss: r.tally.MeanLoss(), Agreement: r.agreement}, r.tally.Hits}, nil
}

// gainOf pairs the predictions of a result with those of the baseline.
func gainOf(result, uniform metric.Hits) *Gain {
	if len(result) == 0 || len(result) != len(uniform) {
		return nil
	}
	v := compare(result.Misses(), uniform.Misses())
	return &Gain{Top1: v.Gain, Interval: v.Interval}
}
