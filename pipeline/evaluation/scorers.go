package evaluation

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
)

// Scorers score candidates of a supernet, for all targets of a run. They are opened where they are first asked for.
type Scorers struct {
	env      *stage.Env
	supernet *supernet.Supernet
	samples  *samples.Samples
	profile  export.Profile // of candidates
	options  options.ScoreOptions

	workers         []*norms.Worker
	search, heldOut *scoring.Evaluator
}

// NewScorers score candidates as files of a profile. Callers close them.
func NewScorers(e *stage.Env, s *supernet.Supernet, p *samples.Samples, profile export.Profile, o options.ScoreOptions) *Scorers {
	return &Scorers{env: e, supernet: s, samples: p, profile: profile, options: o}
}

// Close gives back what the scorers hold. They are opened anew where they are asked for again.
func (s *Scorers) Close() {
	for _, w := range s.workers {
		w.Close()
	}
	s.workers, s.search, s.heldOut = nil, nil, nil
}

// Search scores on the samples of the search.
func (s *Scorers) Search(ctx context.Context) (*scoring.Evaluator, error) {
	if s.search == nil {
		indices := s.samples.Searched(s.options.SearchSamples, s.env.Seed, s.options.Drawn(s.env.Seed))
		e, err := s.open(ctx, s.samples.Train, indices)
		if err != nil {
			return nil, err
		}
		s.search = e
	}
	return s.search, nil
}

// HeldOut scores on samples that a search has not seen, as far as there are any.
func (s *Scorers) HeldOut(ctx context.Context) (*scoring.Evaluator, error) {
	if s.heldOut == nil {
		set, indices := s.samples.Verdict(s.options.SearchSamples, s.env.Seed, s.options.Drawn(s.env.Seed))
		e, err := s.open(ctx, set, indices)
		if err != nil {
			return nil, err
		}
		s.heldOut = e
	}
	return s.heldOut, nil
}

// HeldOutKind says where the samples of HeldOut come from: held out from training, too, and seen by the search.
func (s *Scorers) HeldOutKind() (held, searched bool) {
	return s.samples.HeldOut.Len() > 0, s.samples.HeldOutOverlapsSearch(s.options.SearchSamples)
}

// Workers is the number of candidates that are scored at a time, as far as scorers are open.
func (s *Scorers) Workers() int { return len(s.workers) }

// open makes an evaluator on samples of a set.
func (s *Scorers) open(ctx context.Context, set *dataset.Set, indices []int) (*scoring.Evaluator, error) {
	o, err := s.Options(ctx)
	if err != nil {
		return nil, err
	}
	return scoring.New(ctx, o, set, indices)
}

// Options are those of evaluators. Their workers are the same for all, and open until Close.
func (s *Scorers) Options(ctx context.Context) (o scoring.Options, err error) {
	o = scoring.Options{
		Model: s.supernet.Model, Plan: s.supernet.Plan, Supernet: s.supernet.Arrays, Samples: s.samples, Kinds: s.supernet.Network.Kinds,
		Profile: s.profile, Provider: s.env.Machine.Provider, Dir: s.env.Workspace.Dir(),
	}
	if o.Outputs, err = Outputs(s.supernet.Network, s.samples); err != nil {
		return o, err
	}
	if len(s.workers) == 0 {
		s.workers, err = s.supernet.Norms.Workers(ctx, s.supernet.Arrays, s.env.Machine.Workers(), s.supernet.Trained)
	}
	o.Workers = s.workers
	return o, err
}
