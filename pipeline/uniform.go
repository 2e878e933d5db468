package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/search"
)

// measureUniform is the top-1 of the budget-filled uniform baseline on the test pictures, treated as the result was:
// norms re-estimated, exported, run in the runtime. Nil without labels.
func (j *job) measureUniform(ctx context.Context, target string, res *search.Result, row *TargetResult) (*float64, error) {
	if res.Policy.Equal(res.Uniform) || !j.data.labels {
		return row.Metric.Top1, nil
	}
	rep := j.o.Events.start(StageEval, target+" uniform", "")
	supernet, err := j.reestimate(ctx, res.Uniform, "")
	if err != nil {
		return nil, err
	}
	if supernet, _, err = runnable(j.plan, supernet, res.Uniform, j.o.Profiles[0]); err != nil {
		return nil, err
	}
	m, err := export.Export(j.model, j.plan, supernet, res.Uniform, export.Options{Profile: j.o.Profiles[0]})
	if err != nil {
		return nil, err
	}
	if m, err = export.Standard(m); err != nil {
		return nil, err
	}
	model, remove, err := j.document(m)
	if err != nil {
		return nil, err
	}
	defer remove()
	r, err := j.measure(ctx, model, j.data.test, all(j.data.test.Len()), measurement{}, rep)
	if err != nil {
		return nil, err
	}
	rep.done("")
	return r.top1(), nil
}
