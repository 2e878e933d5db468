package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// Budgets are targets in BitOPs from narrow to wide, in so many steps between two uniform widths.
func Budgets(plan *quantize.Plan, steps int) []quantize.Target {
	var targets []quantize.Target
	levels := NewSpace(plan, quantize.Target{}).Levels()
	for i := 1; i < len(levels); i++ {
		for k := range steps {
			bits := float64(levels[i-1]) + float64((k+1)*(levels[i]-levels[i-1]))/float64(steps)
			t := quantize.Target{Limits: []quantize.Limit{{Kind: quantize.LimitBit, Value: bits}}}
			if t.Validate(plan) == nil { // weights and activations may begin at different widths, and so end
				targets = append(targets, t)
			}
		}
	}
	return targets
}

// guideSteps is the number of budgets in BitOPs between two uniform widths that training is guided by.
const guideSteps = 4

// GuideTargets are the budgets of policies near which training draws its paths: BitOPs in steps, and weights alone at
// every width, beside the widest activations.
func GuideTargets(plan *quantize.Plan) []quantize.Target {
	targets := Budgets(plan, guideSteps)
	for _, b := range NewSpace(plan, quantize.Target{}).Levels() {
		t, err := quantize.ParseTarget(fmt.Sprintf("w%da8", b))
		if err == nil && t.Validate(plan) == nil { // weights and activations may end at different widths
			targets = append(targets, t)
		}
	}
	return targets
}

// Predicted are the best policies for targets by sensitivities alone.
func Predicted(ctx context.Context, plan *quantize.Plan, s *Sensitivity, targets []quantize.Target) ([]quantize.Policy, error) {
	var policies []quantize.Policy
	for _, t := range targets {
		p, err := Predict(ctx, Options{Plan: plan, Target: t, Sensitivity: s})
		if err != nil {
			return nil, err
		}
		policies = append(policies, p)
	}
	return policies, nil
}

// Worthwhile are the policies that are predicted to lose less than a limit, and the widest one, from narrow to wide.
// Where the calibrated network knows next to nothing, a path learns less than it costs the shared weights.
func Worthwhile(plan *quantize.Plan, s *Sensitivity, limit float64, policies []quantize.Policy) ([]quantize.Policy, error) {
	kept := []quantize.Policy{plan.Max()}
	for _, p := range policies {
		loss, err := s.Loss(plan, p)
		if err != nil {
			return nil, err
		}
		if loss < limit && !slices.ContainsFunc(kept, p.Equal) {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b quantize.Policy) int { return cmp.Compare(plan.BitOPs(a), plan.BitOPs(b)) })
	return kept, nil
}
