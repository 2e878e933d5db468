package selection

import (
	"context"
	"slices"

	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// sensitivities measures what every width of every layer and tensor costs, once per supernet. It does so on the whole
// plan, so that pins, caps and targets can change afterwards.
func (f *finder) sensitivities(ctx context.Context, ev *scoring.Evaluator, rep *event.Reporter) (*search.Sensitivity, error) {
	e, plan := f.env, f.supernet.Plan
	stamp, err := ScoreKey(e, f.supernet.Stamp, f.supernet.Norms.Samples.Stamp, f.options.Profile, f.options.ScoreOptions).Stamp()
	if err != nil {
		return nil, err
	}
	s := record.Sensitivities{Stamp: stamp}
	var old record.Sensitivities
	if e.Reuse(stage.SurveyFile, plan, &old, event.StageSearch) && old.Stamp == stamp {
		s = old
	}
	if len(s.Front) > 0 {
		return s.Sensitivity, nil
	}
	s.Name(plan)
	keep := func(m *search.Sensitivity, done, total int) error {
		s.Sensitivity = m
		rep.Progress(int64(done), int64(total), "sensitivities")
		return e.Workspace.WriteJSON(stage.SurveyFile, s)
	}
	if ev, err = ev.Subset(ctx); err != nil {
		return nil, err
	}
	s.Samples = ev.N()
	if s.Sensitivity, err = search.Measure(ctx, plan, ev, s.Sensitivity, keep); err != nil {
		return nil, err
	}
	if s.Uniform, s.Front, err = frontOf(ctx, plan, ev, s.Sensitivity); err != nil {
		return nil, err
	}
	return s.Sensitivity, e.Workspace.WriteJSON(stage.SurveyFile, s)
}

// frontSteps is the number of points of the Pareto front between two uniform widths.
const frontSteps = 2

// frontOf evaluates uniform policies, and the best predicted ones at their budgets and between.
func frontOf(ctx context.Context, plan *quantize.Plan, ev *scoring.Evaluator, s *search.Sensitivity) (uniform, front []search.Point, err error) {
	var level []quantize.Policy
	for _, b := range search.NewSpace(plan, quantize.Target{}).Levels() {
		level = append(level, plan.Uniform(b))
	}
	best, err := search.Predicted(ctx, plan, s, search.Budgets(plan, frontSteps))
	if err != nil {
		return nil, nil, err
	}
	scores, err := ev.Evaluate(ctx, slices.Concat(level, best))
	if err != nil {
		return nil, nil, err
	}
	points := func(ps []quantize.Policy, scores []search.Score) []search.Point {
		out := []search.Point{}
		for i, p := range ps {
			out = append(out, search.Point{BitOPs: plan.BitOPs(p), Loss: scores[i].Loss, Top1: scores[i].Top1, Policy: p})
		}
		return out
	}
	return points(level, scores), points(best, scores[len(level):]), nil
}
