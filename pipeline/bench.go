package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// SearchRate is what `bench search --json` prints: the evaluator at work on a trained workspace.
type SearchRate struct {
	Evaluations     int     `json:"evaluations"`
	ImagesPerS      float64 `json:"images_per_s"`
	MSPerEvaluation float64 `json:"ms_per_evaluation"` // wall time by the number of evaluations, which run side by side
	RuntimeShare    float64 `json:"runtime_share"`     // of the evaluations' time that is spent inside onnxruntime
	// Reliability is that of the scores of policies of one target, nil without a target.
	Reliability *scoring.Reliability `json:"reliability,omitempty"`

	Lanes   int `json:"-"` // evaluations at a time
	Samples int `json:"-"` // per evaluation
}

// BenchSearch times evaluations of random policies as a search makes them: spread over all budgets or, with a target in
// the options, all of that budget, whose scores then show how much chance is in them. The workspace stays as it is.
func BenchSearch(ctx context.Context, o Options, evaluations int) (*SearchRate, error) {
	if evaluations < 1 {
		return nil, fmt.Errorf("%w: evaluations: %d is not positive", ErrUsage, evaluations)
	}
	o, err := locate(o)
	if err != nil {
		return nil, err
	}
	if err := checkTrained(o.Workspace); err != nil {
		return nil, err
	}
	s, c, err := openReadOnly(o)
	if err != nil {
		return nil, err
	}
	defer s.leave(nil)
	sup, splits, err := openAll(ctx, s.env, c)
	if err != nil {
		return nil, s.env.Refuse(err)
	}
	defer func() { _ = splits.Close() }() // only read
	ps, err := randomPolicies(sup.Plan, s.env.Seed, evaluations, o.Targets)
	if err != nil {
		return nil, err
	}
	scorers := evaluation.NewScorers(s.env, sup, splits, export.Named(c.Profiles[0]), c.ScoreOptions)
	defer scorers.Close()
	whole, err := scorers.Search(ctx)
	if err != nil {
		return nil, err
	}
	e, err := whole.Subset(ctx)
	if err != nil {
		return nil, err
	}
	rep := s.env.Start(event.StageSearch, "bench", "")
	var reliability *scoring.Reliability
	if len(o.Targets) > 0 {
		reliability, err = e.Reliability(ctx, ps)
	} else {
		_, err = e.Evaluate(ctx, ps)
	}
	if err != nil {
		return nil, err
	}
	seconds := rep.Done("")
	seen, share := e.Spent()
	return &SearchRate{
		Reliability: reliability,
		Evaluations: evaluations, Samples: e.N(), Lanes: scorers.Workers(),
		ImagesPerS: float64(seen) / seconds, MSPerEvaluation: 1e3 * seconds / float64(evaluations),
		RuntimeShare: share,
	}, nil
}

// randomPolicies use the budget of a target or, without one, are spread over the widths of the plan.
func randomPolicies(plan *quantize.Plan, seed uint64, n int, targets []string) ([]quantize.Policy, error) {
	var fixed quantize.Target
	if len(targets) > 0 {
		var err error
		if fixed, err = quantize.ParseTarget(targets[0]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		if len(targets) > 1 || !fixed.Budgeted() {
			return nil, fmt.Errorf("%w: bench search takes one target with a budget", ErrUsage)
		}
		if err := fixed.Validate(plan); err != nil {
			return nil, err
		}
	}
	lo, hi := quantize.Target{Limits: []quantize.Limit{{Kind: quantize.LimitBit}}}.Feasible(plan)
	rng := rand.New(rand.NewPCG(seed, 0))
	ps := make([]quantize.Policy, n)
	for i := range ps {
		bits := lo + (hi-lo)*float64(i+1)/float64(n)
		t := quantize.Target{Limits: []quantize.Limit{{Kind: quantize.LimitBit, Value: bits}}}
		if len(targets) > 0 {
			t = fixed
		}
		var err error
		if ps[i], err = search.Random(plan, t, rng); err != nil {
			return nil, err
		}
	}
	return ps, nil
}
