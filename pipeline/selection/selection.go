// Package selection is the search stage: it finds the policy of a target by inference alone and compares it with the
// uniform baseline on held-out samples.
package selection

import (
	"context"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// Options of the stage.
type Options struct {
	options.SearchOptions
	Profile export.Profile // of the files that candidates are scored as
	// Tunes says that this run states how policies are fine-tuned, or that they are not.
	Tunes bool
}

// Found is the policy of a target beside its baseline.
type Found struct {
	Target quantize.Target
	*search.Result
}

// exchanges is how many trades around the predicted policy are evaluated.
const exchanges = 4

// ScoreKey is what decides scores of candidates of a supernet with a stamp, on samples with a stamp, as files of a
// profile.
func ScoreKey(e *stage.Env, supernet, samples string, profile export.Profile, o any) stage.Key {
	return stage.Key{
		Version: search.Version, Options: []any{o},
		Inputs: []any{supernet, samples, e.Seed, e.Machine.Provider, profile.Name, profile.SupernetVersion()},
	}
}

// Key is what decides the search for a target.
func Key(e *stage.Env, supernet, samples, target string, o Options) stage.Key {
	k := ScoreKey(e, supernet, samples, o.Profile, o.SearchOptions)
	k.Inputs = append(k.Inputs, target)
	return k
}

// finder searches for the targets of a run.
type finder struct {
	env      *stage.Env
	supernet *supernet.Supernet
	scorers  *evaluation.Scorers
	options  Options
	plan     *quantize.Plan // with the pins and caps of this run
}

// Run is the search stage for one target, on a plan that pins and caps have restricted. A policy that was found for the
// same supernet and options is taken as it is. Where a policy is stated, it takes the place of a search.
func Run(ctx context.Context, e *stage.Env, sup *supernet.Supernet, scorers *evaluation.Scorers, plan *quantize.Plan, t quantize.Target, o Options) (*Found, error) {
	f := &finder{e, sup, scorers, o, plan}
	run := f.find
	if o.Policy != "" {
		run = f.stated
	}
	res, err := run(ctx, t)
	if err != nil {
		return nil, stage.Wrap(event.StageSearch, err)
	}
	return &Found{t, res}, nil
}

// find searches, unless the workspace holds the result.
func (f *finder) find(ctx context.Context, t quantize.Target) (*search.Result, error) {
	e, o := f.env, f.options
	tuned, err := record.ReadFinetune(e.Workspace, t.Text, o.Tunes)
	if err != nil {
		return nil, err
	}
	name := record.SearchFile(t.Text)
	step := stage.Step{Name: event.Stage("search " + t.Text), Artifact: name, Key: Key(e, f.supernet.Stamp, f.supernet.Norms.Samples.Stamp, t.Text, o)}
	load := func(stamp string) (*search.Result, error) {
		var old record.Search
		if err := e.Workspace.ReadJSON(name, f.supernet.Plan, &old); err != nil {
			if stage.Damaged(err) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", stage.ErrStale, err)
		}
		if old.Stamp != stamp || o.Random > 0 && (old.Random == nil || old.Random.Policies != o.Random) {
			return nil, stage.ErrStale
		}
		return old.Result, nil
	}
	return stage.Cached(e, step, load, func(stamp string) (*search.Result, stage.Ended, error) {
		lo, hi := t.Feasible(f.plan)
		rep := e.Start(event.StageSearch, t.Text, fmt.Sprintf("feasible %.4g to %.4g %s", lo, hi, t.Unit()))
		r, err := f.search(ctx, t, rep)
		if err != nil {
			return nil, stage.Ended{}, err
		}
		r.Stamp, r.Finetune = stamp, tuned
		if err := e.Workspace.WriteJSON(name, r); err != nil {
			return nil, stage.Ended{}, err
		}
		text := fmt.Sprintf("the uniform baseline, %d evaluations", r.Evaluations)
		if v := r.Verdict; v != nil {
			text = fmt.Sprintf("loss %.4f, uniform baseline %.4f on samples not searched on, %d evaluations", v.Loss, v.UniformLoss, r.Evaluations)
		}
		seconds := rep.Done(text)
		e.Seconds.Search += seconds
		return r.Result, stage.Ended{Seconds: seconds, Note: text}, nil
	})
}

// search finds a policy and compares it with its baseline.
func (f *finder) search(ctx context.Context, t quantize.Target, rep *event.Reporter) (*record.Search, error) {
	r := &record.Search{Target: t.Text}
	ev, err := f.scorers.Search(ctx)
	if err != nil {
		return nil, err
	}
	costs, err := f.sensitivities(ctx, ev, rep)
	if err != nil {
		return nil, err
	}
	drop, err := enforceDrop(ctx, f, t, costs, rep)
	if err != nil {
		return nil, err
	}
	if drop != nil {
		t = drop.limited(drop.steps)
	}
	o := search.Options{
		Plan: f.plan, Target: t, Sensitivity: costs, Exchanges: exchanges,
		Progress: func(p quantize.Policy, evaluations int) {
			rep.Progress(int64(evaluations), 0, progressText(f.plan, t, p))
		},
	}
	if r.Result, err = search.Run(ctx, o, ev); err != nil {
		return nil, err
	}
	if r.Random, err = f.atRandom(ctx, o, ev, r.Result, rep); err != nil {
		return nil, err
	}
	if drop != nil {
		r.Verdict, err = drop.verdict(ctx, ev, r.Result)
	} else {
		r.Verdict, err = f.verdict(ctx, r.Result)
	}
	return r, err
}

// atRandom compares the result of a search with random policies, where that is asked for.
func (f *finder) atRandom(ctx context.Context, o search.Options, ev *scoring.Evaluator, res *search.Result, rep *event.Reporter) (*record.AtRandom, error) {
	n := f.options.Random
	if n == 0 {
		return nil, nil
	}
	score, err := search.BestRandom(ctx, o, ev, n, f.env.Seed)
	if err != nil {
		return nil, err
	}
	rep.Message(fmt.Sprintf("search loss %.4f, best of %d random policies %.4f", res.Score.Loss, n, score.Loss))
	return &record.AtRandom{Policies: n, Loss: score.Loss}, nil
}

// progressText says how far each limit still is.
func progressText(plan *quantize.Plan, target quantize.Target, p quantize.Policy) string {
	var parts []string
	for _, l := range target.Limits {
		parts = append(parts, fmt.Sprintf("%.4g of %.4g %s", l.Cost(plan, p), l.Value, l.Unit()))
	}
	return strings.Join(parts, ", ")
}
