package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// uniform measures the baseline of a target, treated as the found policy was: norms re-estimated, not polished. It stands beside
// what that gave.
func (j *job) uniform(ctx context.Context, target string, res *search.Result, row *TargetResult, found measured) error {
	if res.Policy.Equal(res.Uniform) || !j.data.Labels {
		row.Uniform.Top1 = found.Metric.Top1
		return nil
	}
	b, err := j.measurePolicy(ctx, target, "uniform", res.Uniform, func() (*quantize.Supernet, error) { return j.reestimate(ctx, res.Uniform, "", j.o.Profiles[0]) })
	if err != nil {
		return err
	}
	row.Uniform.Top1, row.Uniform.Gain = b.Metric.Top1, gainOf(found.Hits, b.Hits)
	return nil
}
