package selection

import (
	"fmt"

	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// DefaultTarget is met where none is stated: four bits is where mixed precision still costs almost no accuracy.
const DefaultTarget = "4.0bit"

// Targets are those of a run, and the plan with its pins and caps. They are checked before any long work: a target that
// lies outside the range must not cost a training.
func Targets(plan *quantize.Plan, o options.SearchOptions) ([]quantize.Target, *quantize.Plan, error) {
	plan, err := restricted(plan, o)
	if err != nil {
		return nil, nil, err
	}
	if o.Policy != "" {
		t, err := statedTarget(plan, o)
		return []quantize.Target{t}, plan, err
	}
	texts := o.Targets
	if len(texts) == 0 {
		if t, ok := search.OnlyPolicy(plan); ok {
			return []quantize.Target{t}, plan, nil
		}
		texts = []string{DefaultTarget}
	}
	targets, err := quantize.ParseTargets(texts)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	for _, t := range targets {
		if err := t.Validate(plan); err != nil {
			return nil, nil, err
		}
		if _, err := quantize.BudgetUniform(plan, t); err != nil {
			return nil, nil, err
		}
	}
	return targets, plan, nil
}

// restricted is a plan with the pins and caps of a run.
func restricted(plan *quantize.Plan, o options.SearchOptions) (*quantize.Plan, error) {
	for _, s := range o.Caps {
		r, err := policy.ParseRule(s)
		if err != nil {
			return nil, fmt.Errorf("%w: cap %w", options.ErrUsage, err)
		}
		if plan, err = plan.Cap(r.Pattern, r.W, r.A); err != nil {
			return nil, fmt.Errorf("%w: cap %s: %w", options.ErrUsage, s, err)
		}
	}
	for _, s := range o.Pins {
		r, err := policy.ParseRule(s)
		if err != nil {
			return nil, fmt.Errorf("%w: pin %w", options.ErrUsage, err)
		}
		if plan, err = plan.Pin(r.Pattern, r.W, r.A); err != nil {
			return nil, fmt.Errorf("%w: pin %s: %w", options.ErrUsage, s, err)
		}
	}
	return plan, nil
}

// Below are the budgeted targets whose baseline has fewer BitOPs than the narrowest policy that training draws paths
// near.
func Below(targets []quantize.Target, plan *quantize.Plan, narrowest quantize.Policy) ([]quantize.Target, error) {
	var below []quantize.Target
	for _, t := range targets {
		if !t.Budgeted() {
			continue
		}
		p, err := quantize.BudgetUniform(plan, t)
		if err != nil {
			return nil, err
		}
		if plan.BitOPs(p) < plan.BitOPs(narrowest) {
			below = append(below, t)
		}
	}
	return below, nil
}
