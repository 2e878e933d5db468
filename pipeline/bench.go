package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/quantize"
)

// SearchRate is what `bench search --json` prints: the evaluator at work on a trained workspace.
type SearchRate struct {
	Evaluations     int     `json:"evaluations"`
	ImagesPerS      float64 `json:"images_per_s"`
	MSPerEvaluation float64 `json:"ms_per_evaluation"` // wall time by the number of evaluations, which run side by side
	RuntimeShare    float64 `json:"runtime_share"`     // of the evaluations' time that is spent inside onnxruntime

	Lanes    int `json:"-"` // evaluations at a time
	Pictures int `json:"-"` // per evaluation
}

// BenchSearch times evaluations of random policies as a search makes them.
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
	j, err := openJob(o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	if err := j.prepare(ctx); err != nil {
		return nil, err
	}
	if err := j.openSupernet(); err != nil {
		return nil, err
	}
	ps, err := j.randomPolicies(evaluations)
	if err != nil {
		return nil, err
	}
	whole, err := j.evaluator(ctx)
	if err != nil {
		return nil, err
	}
	e, err := whole.survey(ctx)
	if err != nil {
		return nil, err
	}
	*e.spent = spent{} // without the widest policy, which came first
	rep := j.o.Events.start(StageSearch, "bench", "")
	if _, err := e.Evaluate(ctx, ps); err != nil {
		return nil, err
	}
	seconds := rep.done("")
	return &SearchRate{
		Evaluations: evaluations, Pictures: e.n, Lanes: len(e.lanes),
		ImagesPerS: float64(e.spent.pictures.Load()) / seconds, MSPerEvaluation: 1e3 * seconds / float64(evaluations),
		RuntimeShare: float64(e.spent.runtime.Load()) / float64(e.spent.all.Load()),
	}, nil
}

// randomPolicies are spread over the widths of the plan.
func (j *job) randomPolicies(n int) ([]quantize.Policy, error) {
	lo, hi := quantize.Target{Limits: []quantize.Limit{{Kind: quantize.LimitBit}}}.Feasible(j.plan)
	rng := rand.New(rand.NewPCG(*j.o.Seed, 0))
	ps := make([]quantize.Policy, n)
	for i := range ps {
		bits := lo + (hi-lo)*float64(i+1)/float64(n)
		t := quantize.Target{Limits: []quantize.Limit{{Kind: quantize.LimitBit, Value: bits}}}
		var err error
		if ps[i], err = search.Random(j.plan, t, rng); err != nil {
			return nil, err
		}
	}
	return ps, nil
}
