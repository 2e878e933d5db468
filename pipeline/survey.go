package pipeline

import (
	"context"
	"slices"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

const sensitivityFile = "scores/sensitivity.json"

// Survey is scores/sensitivity.json: what all targets of a supernet share. It is written as it grows, so that a search
// that was interrupted goes on.
type Survey struct {
	Plan        string              `json:"plan"`    // fingerprint of what was measured
	Layers      []string            `json:"layers"`  // nodes, in the order of Sensitivity.W
	Tensors     []string            `json:"tensors"` // in the order of Sensitivity.A
	Reads       []int               `json:"reads"`   // per layer, which of Tensors it reads
	Pictures    int                 `json:"pictures"`
	Sensitivity *search.Sensitivity `json:"sensitivity"`
	Front       []search.Point      `json:"front"`   // the best policies by sensitivities, from narrow to wide, evaluated
	Uniform     []search.Point      `json:"uniform"` // uniform policies, evaluated
}

// sensitivities measures what every width of every layer and tensor costs, once per supernet. It does so on the whole
// plan, so that pins, caps and targets can change afterwards.
func (j *job) sensitivities(ctx context.Context, ev *scoring.Evaluator, rep *event.Reporter) (*search.Sensitivity, error) {
	stamp, err := workspace.Fingerprint(j.supernetPrint(), j.o.SearchSamples, j.o.SearchPicturesSeed(), j.data.Stamp, j.o.Profiles[0], j.o.Provider, searchVersion, export.Named(j.o.Profiles[0]).SupernetVersion())
	if err != nil {
		return nil, err
	}
	s := Survey{Plan: stamp}
	var old Survey
	if j.reuse(sensitivityFile, &old, event.StageSearch) && old.Plan == stamp {
		s = old
	}
	if len(s.Front) > 0 {
		return s.Sensitivity, nil
	}
	s.Layers, s.Tensors, s.Reads = nil, nil, nil
	for i := range j.plan.Layers {
		s.Layers, s.Reads = append(s.Layers, j.plan.Layers[i].Node), append(s.Reads, j.plan.Layers[i].Point)
	}
	for i := range j.plan.Points {
		s.Tensors = append(s.Tensors, j.plan.Points[i].Tensor)
	}
	keep := func(m *search.Sensitivity, done, total int) error {
		s.Sensitivity = m
		rep.Progress(int64(done), int64(total), "sensitivities")
		return j.w.WriteJSON(sensitivityFile, s)
	}
	if ev, err = ev.Survey(ctx); err != nil {
		return nil, err
	}
	s.Pictures = ev.N()
	if s.Sensitivity, err = search.Measure(ctx, j.plan, ev, s.Sensitivity, keep); err != nil {
		return nil, err
	}
	if err := j.survey(ctx, ev, &s); err != nil {
		return nil, err
	}
	return s.Sensitivity, j.w.WriteJSON(sensitivityFile, s)
}

// surveySteps is the number of points of the front between two uniform widths.
const surveySteps = 2

// survey evaluates uniform policies and the best predicted ones at their budgets and between.
func (j *job) survey(ctx context.Context, ev *scoring.Evaluator, s *Survey) error {
	var uniform []quantize.Policy
	for _, b := range search.NewSpace(j.plan, quantize.Target{}).Levels() {
		uniform = append(uniform, j.plan.Uniform(b))
	}
	front, err := predicted(ctx, j.plan, s.Sensitivity, budgets(j.plan, surveySteps))
	if err != nil {
		return err
	}
	scores, err := ev.Evaluate(ctx, slices.Concat(uniform, front))
	if err != nil {
		return err
	}
	points := func(ps []quantize.Policy, scores []search.Score) []search.Point {
		out := []search.Point{}
		for i, p := range ps {
			out = append(out, search.Point{BitOPs: j.plan.BitOPs(p), Loss: scores[i].Loss, Top1: scores[i].Top1, Policy: p})
		}
		return out
	}
	s.Uniform, s.Front = points(uniform, scores), points(front, scores[len(uniform):])
	return nil
}

// budgets are BitOPs from narrow to wide, in so many steps between two uniform widths.
func budgets(plan *quantize.Plan, steps int) []quantize.Target {
	var targets []quantize.Target
	levels := search.NewSpace(plan, quantize.Target{}).Levels()
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

// predicted are the best policies for targets by sensitivities alone.
func predicted(ctx context.Context, plan *quantize.Plan, s *search.Sensitivity, targets []quantize.Target) ([]quantize.Policy, error) {
	var policies []quantize.Policy
	for _, t := range targets {
		p, err := search.Predict(ctx, search.Options{Plan: plan, Target: t, Sensitivity: s})
		if err != nil {
			return nil, err
		}
		policies = append(policies, p)
	}
	return policies, nil
}
