package selection

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// PolicyFile is where the policy of a target is written for people to edit.
func PolicyFile(target string) string { return "search/" + workspace.FileName(target) + ".policy" }

// statedTarget is the target that a stated policy stands for: the stated one, which it must meet, else its own BitOPs.
func statedTarget(plan *quantize.Plan, o options.SearchOptions) (quantize.Target, error) {
	p, err := policy.Read(o.Policy, plan)
	if err != nil {
		return quantize.Target{}, fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	if len(o.Targets) == 0 {
		t := quantize.BitOPsTarget(plan.BitOPs(p))
		base := filepath.Base(o.Policy)
		t.Text = "policy-" + strings.TrimSuffix(base, filepath.Ext(base))
		return t, nil
	}
	t, err := quantize.ParseTarget(o.Targets[0])
	if err != nil {
		return t, fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	for _, l := range t.Limits {
		if !l.Fits(plan, p) {
			return t, fmt.Errorf("%w: policy %s needs %.4g %s, target %s allows %.4g",
				quantize.ErrInfeasible, o.Policy, l.Cost(plan, p), l.Unit(), t.Text, l.Value)
		}
	}
	if !t.Check(plan, p) {
		return t, fmt.Errorf("%w: policy %s does not hold activations at the %d bit of target %s",
			quantize.ErrInfeasible, o.Policy, t.FixedActivations, t.Text)
	}
	return t, nil
}

// stated takes the place of a search where the policy is stated: it and the uniform baseline are scored, nothing else.
// It is recorded as a search's result is, so that further profiles can be exported.
func (f *finder) stated(ctx context.Context, t quantize.Target) (*search.Result, error) {
	e, plan := f.env, f.plan
	p, err := policy.Read(f.options.Policy, plan)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	tuned, err := record.ReadFinetune(e.Workspace, t.Text, f.options.Tunes)
	if err != nil {
		return nil, err
	}
	rep := e.Start(event.StageSearch, t.Text, "taking "+f.options.Policy)
	uniform, err := quantize.BudgetUniform(plan, t)
	if err != nil {
		return nil, err
	}
	ev, err := f.scorers.Search(ctx)
	if err != nil {
		return nil, err
	}
	scores, err := ev.Evaluate(ctx, []quantize.Policy{p, uniform})
	if err != nil {
		return nil, err
	}
	res := &search.Result{
		Policy: p, Score: scores[0], Uniform: uniform, UniformScore: scores[1], UniformBits: search.UniformBits(plan, t), Evaluations: 2,
		Steps: []search.Step{}, Pareto: []search.Point{{BitOPs: plan.BitOPs(p), Loss: scores[0].Loss, Top1: scores[0].Top1, Policy: p}},
	}
	stamp, err := workspace.Fingerprint("given", f.supernet.Stamp, p)
	if err != nil {
		return nil, err
	}
	e.Seconds.Search += rep.Done(fmt.Sprintf("loss %.4f, uniform baseline %.4f", scores[0].Loss, scores[1].Loss))
	return res, e.Workspace.WriteJSON(record.SearchFile(t.Text), record.Search{Target: t.Text, Stamp: stamp, Result: res, Finetune: tuned})
}
