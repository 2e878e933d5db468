package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize"
)

// measured is a policy on the test pictures, as a file of the first profile gives it in onnxruntime.
type measured struct {
	Metric Metric      `json:"metric"`
	Hits   metric.Hits `json:"hits,omitempty"` // behind Metric.Top1
}

// measurePolicy measures a policy that is not delivered but stands beside the result of a target, as what name says. Its supernet,
// with norms of the policy, is asked for where that was not measured before.
func (j *job) measurePolicy(ctx context.Context, target, name string, p quantize.Policy, supernet func() (*quantize.Supernet, error)) (measured, error) {
	key, err := j.testKey("policy", j.supernetPrint(), p, j.o.NormSamples, normsVersion, j.o.Profiles[0], export.Named(j.o.Profiles[0]).SupernetVersion())
	if err != nil {
		return measured{}, err
	}
	return cached(j, "scores/"+fileName(target)+"."+name+".json", key, func() (measured, error) {
		rep := j.o.Events.Start(event.StageEval, target+" "+name, "")
		s, err := supernet()
		if err != nil {
			return measured{}, err
		}
		m, err := j.runPolicy(ctx, p, s, rep)
		if err != nil {
			return measured{}, err
		}
		rep.Done("")
		return m, nil
	})
}

// runPolicy exports a policy and runs it over the test pictures.
func (j *job) runPolicy(ctx context.Context, p quantize.Policy, s *quantize.Supernet, rep *event.Reporter) (measured, error) {
	var none measured
	base, err := j.floatReference(ctx)
	if err != nil {
		return none, err
	}
	indices, err := j.testIndices(ctx)
	if err != nil {
		return none, err
	}
	model, remove, err := scoring.Document(j.model, j.plan, s, p, export.Named(j.o.Profiles[0]), j.w.Dir())
	if err != nil {
		return none, err
	}
	defer remove()
	r, err := j.measure(ctx, model, indices, measurement.Options{Against: measurement.Kept(base.Logits, base.Tally.N)}, rep)
	if err != nil {
		return none, err
	}
	return measured{Metric{Top1: r.Top1(), Loss: r.Tally.MeanLoss(), Agreement: r.Agreement}, r.Tally.Hits}, nil
}

// gainOf pairs the predictions of two policies on the same pictures; nil where one was not measured on all of them.
func gainOf(result, other metric.Hits) *Gain {
	if len(result) == 0 || len(result) != len(other) {
		return nil
	}
	v := compare(result.Misses(), other.Misses())
	return &Gain{Top1: v.Gain, Interval: v.Interval}
}
