package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
)

// evaluator is that of the search, which all targets share.
func (j *job) evaluator(ctx context.Context) (*scoring.Evaluator, error) {
	if j.scorer == nil {
		e, err := j.scoring(ctx, j.data.Train, j.data.Searched(j.o.SearchSamples, *j.o.Seed, j.o.SearchPicturesSeed()))
		if err != nil {
			return nil, err
		}
		j.scorer = e
	}
	return j.scorer, nil
}

// judging is the evaluator of verdicts, which all targets share.
func (j *job) judging(ctx context.Context) (*scoring.Evaluator, error) {
	if j.jury == nil {
		set, indices := j.data.Judges(j.o.SearchSamples, *j.o.Seed, j.o.SearchPicturesSeed())
		e, err := j.scoring(ctx, set, indices)
		if err != nil {
			return nil, err
		}
		j.jury = e
	}
	return j.jury, nil
}

// scoring is an evaluator on pictures of a set.
func (j *job) scoring(ctx context.Context, set *dataset.Set, indices []int) (*scoring.Evaluator, error) {
	o, err := j.scoringOptions(ctx)
	if err != nil {
		return nil, err
	}
	return scoring.New(ctx, o, set, indices)
}

// scoringOptions are those of evaluators of this run. The lanes are the same for all, and open until endSearch.
func (j *job) scoringOptions(ctx context.Context) (o scoring.Options, err error) {
	o = scoring.Options{
		Model: j.model, Plan: j.plan, Supernet: j.supernet, Pictures: j.data, Kinds: j.kinds(),
		Profile: export.Named(j.o.Profiles[0]), Provider: j.o.Provider, Dir: j.w.Dir(),
	}
	if o.Outputs, err = j.outputs(); err != nil {
		return o, err
	}
	o.Lanes, err = j.openLanes(ctx)
	return o, err
}
