package pipeline

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// ErrInfeasible is wrapped by the error of a target that no policy can meet; the error names the feasible range.
var ErrInfeasible = quantize.ErrInfeasible

// found is search/TARGET.json: the outcome of one search.
type found struct {
	Target string `json:"target"`
	Plan   string `json:"plan"` // fingerprint of what the policy is a policy of
	*search.Result
	Verdict *Verdict  `json:"verdict,omitempty"`
	Random  *AtRandom `json:"random,omitempty"`
	// Polish is how the policy was trained alone; nil: not at all.
	Polish *polishing `json:"polish,omitempty"`
}

// foundFile is the name of that file.
func foundFile(target string) string { return "search/" + fileName(target) + ".json" }

// AtRandom is the best of some random policies that use the same budget, by search score.
type AtRandom struct {
	Policies int     `json:"policies"`
	Loss     float64 `json:"loss"`
}

// find is the search stage for one target. A policy that was found for the same supernet and options is taken as it is.
func (j *job) find(ctx context.Context, target quantize.Target, plan *quantize.Plan) (*search.Result, error) {
	stamp, err := workspace.Fingerprint(j.supernetPrint(), target.Text, j.stated.Pins, j.stated.Caps, j.o.SearchSamples, j.o.SearchPicturesSeed(), j.data.Stamp, j.o.Profiles[0], j.o.Provider, searchVersion, export.Named(j.o.Profiles[0]).SupernetVersion())
	if err != nil {
		return nil, err
	}
	polish, err := j.polishingKept(target.Text)
	if err != nil {
		return nil, err
	}
	name := foundFile(target.Text)
	stage := event.Stage("search " + target.Text)
	if j.w.Finished(stage, stamp, name) {
		var old found
		if j.reuse(name, &old, stage) && old.Plan == stamp && (j.stated.Random == 0 || old.Random != nil && old.Random.Policies == j.stated.Random) {
			return old.Result, nil
		}
	}
	lo, hi := target.Feasible(plan)
	rep := j.o.Events.Start(event.StageSearch, target.Text, fmt.Sprintf("feasible %.4g to %.4g %s", lo, hi, unitOf(target)))
	ev, err := j.evaluator(ctx)
	if err != nil {
		return nil, err
	}
	sensitivity, err := j.sensitivities(ctx, ev, rep)
	if err != nil {
		return nil, err
	}
	target, drop, err := j.settleDrop(ctx, target, plan, sensitivity, rep)
	if err != nil {
		return nil, err
	}
	o := search.Options{
		Plan: plan, Target: target, Sensitivity: sensitivity, Exchanges: exchanges,
		Progress: func(p quantize.Policy, evaluations int) {
			rep.Progress(int64(evaluations), 0, progressText(plan, target, p))
		},
	}
	res, err := search.Run(ctx, o, ev)
	if err != nil {
		return nil, err
	}
	random, err := j.atRandom(ctx, o, ev, res, rep)
	if err != nil {
		return nil, err
	}
	judge := j.judge
	if drop != nil {
		if err := drop.hold(ctx, ev, res); err != nil {
			return nil, err
		}
		judge = drop.judge
	}
	verdict, err := judge(ctx, res)
	if err != nil {
		return nil, err
	}
	if err := j.w.WriteJSON(name, found{
		Target: target.Text, Plan: stamp, Result: res, Verdict: verdict, Random: random, Polish: polish,
	}); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("the uniform baseline, %d evaluations", res.Evaluations)
	if verdict != nil {
		text = fmt.Sprintf("loss %.4f, uniform baseline %.4f on pictures not searched on, %d evaluations", verdict.Loss, verdict.UniformLoss, res.Evaluations)
	}
	seconds := rep.Done(text)
	j.seconds.Search += seconds
	return res, j.w.End(stage, stamp, seconds, text)
}

// atRandom compares the result of a search with random policies, where that is asked for.
func (j *job) atRandom(ctx context.Context, o search.Options, ev *scoring.Evaluator, res *search.Result, rep *event.Reporter) (*AtRandom, error) {
	if j.stated.Random == 0 {
		return nil, nil
	}
	score, err := search.BestRandom(ctx, o, ev, j.stated.Random, *j.o.Seed)
	if err != nil {
		return nil, err
	}
	rep.Message(fmt.Sprintf("search loss %.4f, best of %d random policies %.4f", res.Score.Loss, j.stated.Random, score.Loss))
	return &AtRandom{j.stated.Random, score.Loss}, nil
}

// exchanges is how many trades around the predicted policy are evaluated.
const exchanges = 4

// searchVersion rises when the search would find other policies with the same options.
const searchVersion = 11

// restrict applies the pins and caps of this run.
func (j *job) restrict() (*quantize.Plan, error) {
	plan := j.plan
	for _, s := range j.stated.Caps {
		r, err := policy.ParseRule(s)
		if err != nil {
			return nil, fmt.Errorf("%w: cap %w", ErrUsage, err)
		}
		if plan, err = plan.Cap(r.Pattern, r.W, r.A); err != nil {
			return nil, fmt.Errorf("%w: cap %s: %w", ErrUsage, s, err)
		}
	}
	for _, s := range j.stated.Pins {
		r, err := policy.ParseRule(s)
		if err != nil {
			return nil, fmt.Errorf("%w: pin %w", ErrUsage, err)
		}
		if plan, err = plan.Pin(r.Pattern, r.W, r.A); err != nil {
			return nil, fmt.Errorf("%w: pin %s: %w", ErrUsage, s, err)
		}
	}
	return plan, nil
}

// progressText says how far each limit still is.
func progressText(plan *quantize.Plan, target quantize.Target, p quantize.Policy) string {
	var parts []string
	for _, l := range target.Limits {
		parts = append(parts, fmt.Sprintf("%.4g of %.4g %s", l.Cost(plan, p), l.Value, l.Unit()))
	}
	return strings.Join(parts, ", ")
}

func unitOf(t quantize.Target) string {
	if len(t.Limits) == 0 {
		return "GBitOPs"
	}
	return t.Limits[0].Unit()
}

// fileName makes a target part of a file name.
func fileName(target string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, target)
}
