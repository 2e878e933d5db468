package delivery

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize/integer"
)

// measureBoth runs the whole file in the runtime over the test samples, and the simulation over as many of them as it
// has time for, and compares the outputs.
func (v *verifier) measureBoth(ctx context.Context, c *outcome, rep *event.Reporter) error {
	p, base := v.sample.Samples, v.sample.Float
	model, remove, err := session.Of(c.standard, v.env.Workspace.Dir())
	if err != nil {
		return err
	}
	defer remove()
	profile := export.Named(c.file.Profile)
	c.file.ComputedBy = computedBy(profile)
	indices, err := p.TestIndices(ctx, v.env)
	if err != nil {
		return err
	}
	o := measurement.Options{Keep: true, Against: measurement.Kept(base.Logits, base.Tally.N)}
	if c.run, err = evaluation.Measure(ctx, v.env, model.Exactly(profile.Exact()), p, indices, v.supernet.Network.Kinds, o, rep); err != nil {
		return err
	}
	c.file.Top1 = c.run.Top1()
	at := measurement.Sample(len(indices), v.supernet.Plan.MACs(), v.samples)
	float := measurement.Pick(base.Logits, base.Tally.N, at)
	chosen := make([]int, len(at))
	for i, k := range at {
		chosen[i] = indices[k]
	}
	o.Against = measurement.Kept(float, len(at))
	if c.sim, err = v.simulate(ctx, c.network, chosen, o); err != nil {
		return err
	}
	c.compareOutputs(measurement.Pick(c.run.Logits, c.run.Tally.N, at), float)
	return nil
}

// simulate runs the simulation of a model over test samples.
func (v *verifier) simulate(ctx context.Context, sim *integer.Network, indices []int, o measurement.Options) (*measurement.Result, error) {
	list, err := evaluation.Outputs(v.supernet.Network, v.sample.Samples)
	if err != nil {
		return nil, err
	}
	rep := v.env.Start(event.StageVerify, "simulation", "")
	o.Seen = rep.Counter(len(indices))
	return measurement.Simulate(ctx, sim, v.env.Pool, v.sample.Samples, indices, list, o)
}
