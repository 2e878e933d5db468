package evaluation

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// Candidate is a policy as a file of a profile holds it.
type Candidate struct {
	Policy  quantize.Policy
	Profile export.Profile
}

// PolicyKey is what decides the measurement of a policy of a supernet with a stamp, with norms re-estimated.
func PolicyKey(e *stage.Env, p *samples.Samples, supernet string, c Candidate, o options.NormOptions) stage.Key {
	return TestKey(e, p, []any{o}, "policy", supernet, c.Policy, norms.Version, c.Profile.Name, c.Profile.SupernetVersion())
}

// Policy measures a policy that is not delivered but stands beside the result of a target, as name says. Its arrays,
// with norms of the policy, are asked for where that was not measured before. base is the float model.
func Policy(ctx context.Context, e *stage.Env, sup *supernet.Supernet, p *samples.Samples, base *measurement.Result, target, name string,
	c Candidate, o options.NormOptions, arrays func() (*quantize.Supernet, error),
) (record.Measured, error) {
	file := "scores/" + workspace.FileName(target) + "." + name + ".json"
	return stage.Measured(e, event.StageEval, file, PolicyKey(e, p, sup.Stamp, c, o), sup.Plan, func() (record.Measured, error) {
		rep := e.Start(event.StageEval, target+" "+name, "")
		s, err := arrays()
		if err != nil {
			return record.Measured{}, err
		}
		m, err := RunPolicy(ctx, e, sup, p, base, c, s, rep)
		if err == nil {
			rep.Done("")
		}
		return m, err
	})
}

// RunPolicy exports a policy with arrays and runs it over the test samples.
func RunPolicy(ctx context.Context, e *stage.Env, sup *supernet.Supernet, p *samples.Samples, base *measurement.Result, c Candidate, arrays *quantize.Supernet, rep *event.Reporter) (record.Measured, error) {
	var none record.Measured
	indices, err := p.TestIndices(ctx, e)
	if err != nil {
		return none, err
	}
	model, remove, err := scoring.Document(sup.Model, sup.Plan, arrays, c.Policy, c.Profile, e.Workspace.Dir())
	if err != nil {
		return none, err
	}
	defer remove()
	o := measurement.Options{Against: measurement.Kept(base.Logits, base.Tally.N)}
	r, err := Measure(ctx, e, model, p, indices, sup.Network.Kinds, o, rep)
	if err != nil {
		return none, err
	}
	return record.Measured{
		Metric: record.Metric{Top1: r.Top1(), Loss: r.Tally.MeanLoss(), Agreement: r.Agreement}, Hits: r.Tally.Hits,
	}, nil
}
