package pipeline

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// policyFile is where the policy of a target is written for people to edit.
func policyFile(target string) string { return "search/" + fileName(target) + ".policy" }

// policyTarget is the target that a stated policy stands for: the stated one, which it must meet, else its own BitOPs.
func (j *job) policyTarget(plan *quantize.Plan) (quantize.Target, error) {
	p, err := policy.Read(j.stated.Policy, plan)
	if err != nil {
		return quantize.Target{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if len(j.stated.Targets) == 0 {
		t := quantize.BitOPsTarget(plan.BitOPs(p))
		base := filepath.Base(j.stated.Policy)
		t.Text = "policy-" + strings.TrimSuffix(base, filepath.Ext(base))
		return t, nil
	}
	t, err := quantize.ParseTarget(j.stated.Targets[0])
	if err != nil {
		return t, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	for _, l := range t.Limits {
		if !l.Fits(plan, p) {
			return t, fmt.Errorf("%w: policy %s needs %.4g %s, target %s allows %.4g",
				ErrInfeasible, j.stated.Policy, l.Cost(plan, p), l.Unit(), t.Text, l.Value)
		}
	}
	if !t.Check(plan, p) {
		return t, fmt.Errorf("%w: policy %s does not hold activations at the %d bit of target %s",
			ErrInfeasible, j.stated.Policy, t.FixedActivations, t.Text)
	}
	return t, nil
}

// given takes the place of a search where the policy is stated: it and the uniform baseline are scored, nothing else. It
// is recorded as a search's result is, so that further profiles can be exported.
func (j *job) given(ctx context.Context, t quantize.Target, plan *quantize.Plan) (*search.Result, error) {
	p, err := policy.Read(j.stated.Policy, plan)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	polish, err := j.polishingKept(t.Text)
	if err != nil {
		return nil, err
	}
	rep := j.o.Events.Start(event.StageSearch, t.Text, "taking "+j.stated.Policy)
	uniform, err := quantize.BudgetUniform(plan, t)
	if err != nil {
		return nil, err
	}
	ev, err := j.evaluator(ctx)
	if err != nil {
		return nil, err
	}
	scores, err := ev.Evaluate(ctx, []quantize.Policy{p, uniform})
	if err != nil {
		return nil, err
	}
	res := &search.Result{
		Policy: p, Score: scores[0], Uniform: uniform, UniformScore: scores[1], UniformBits: uniformBits(plan, t), Evaluations: 2,
		Steps: []search.Step{}, Pareto: []search.Point{{BitOPs: plan.BitOPs(p), Loss: scores[0].Loss, Top1: scores[0].Top1, Policy: p}},
	}
	stamp, err := workspace.Fingerprint("given", j.supernetPrint(), p)
	if err != nil {
		return nil, err
	}
	j.seconds.Search += rep.Done(fmt.Sprintf("loss %.4f, uniform baseline %.4f", scores[0].Loss, scores[1].Loss))
	return res, j.w.WriteJSON(foundFile(t.Text), found{Target: t.Text, Plan: stamp, Result: res, Polish: polish})
}

// uniformBits is the widest uniform width within the target, the narrowest where none fits.
func uniformBits(plan *quantize.Plan, t quantize.Target) int {
	bits := math.MaxInt
	for _, b := range quantize.DefaultBits() {
		if bits == math.MaxInt || t.Check(plan, t.Hold(plan, plan.Uniform(b))) {
			bits = b
		}
	}
	return bits
}

// onlyPolicy is the target of a plan that leaves no choice, named after its widths.
func onlyPolicy(plan *quantize.Plan) (quantize.Target, bool) {
	p := plan.Max()
	if !p.Equal(plan.Min()) {
		return quantize.Target{}, false
	}
	w, a := plan.AverageBits(p)
	short := func(v float64) string { return strconv.FormatFloat(math.Round(10*v)/10, 'f', 1, 64) }
	text := short(w) + "bit"
	if math.Abs(w-a) > 0.05 {
		text = "w" + short(w) + "a" + short(a)
	}
	if t, err := quantize.ParseTarget(text); err == nil && t.Validate(plan) == nil && t.Check(plan, p) {
		return t, true
	}
	t := quantize.BitOPsTarget(plan.BitOPs(p)) // depthwise layers have other widths than the rest
	t.Text = text
	return t, true
}
