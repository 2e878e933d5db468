package supernet

import (
	"context"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// normsOwner names what re-estimated BatchNorms are of: files of a target that bound the same pairs of weights.
func normsOwner(target string, profile export.Profile) (name event.Stage, suffix string) {
	switch profile.Pairs {
	case quantize.PairedFlat:
		return event.Stage("norms " + target), ""
	case quantize.PairedEither:
		return event.Stage("norms " + target + " either"), ".either"
	default:
		return event.Stage("norms " + target + " free"), ".free"
	}
}

// NormsFile holds the BatchNorms re-estimated for the policy of a target, as files of a profile have them.
func NormsFile(target string, profile export.Profile) string {
	_, suffix := normsOwner(target, profile)
	return "search/" + workspace.FileName(target) + ".norms" + suffix + ".safetensors"
}

// NormsKey is what decides the norms of a policy of a supernet with a stamp, as files of a profile have them.
func NormsKey(supernet string, p quantize.Policy, samples string, profile export.Profile, o options.NormOptions) stage.Key {
	return stage.Key{
		Version: norms.Version, Options: []any{o},
		Inputs: []any{supernet, p, samples, profile.Pairs, profile.SupernetVersion()},
	}
}

// Reestimate returns the supernet with the BatchNorm statistics of the policy of a target re-estimated on training
// samples, with the weights that files of a profile have: training saw each pair of widths amid random neighbours, not
// amid those that were chosen. Without the name of a target nothing is kept.
func (s *Supernet) Reestimate(ctx context.Context, e *stage.Env, p quantize.Policy, target string, profile export.Profile, o options.NormOptions) (*quantize.Supernet, error) {
	if target == "" {
		own, err := s.NormsOf(ctx, s.Norms, s.Arrays, p, profile, o)
		if err != nil {
			return nil, err
		}
		return s.Arrays.Over(own), nil
	}
	name, _ := normsOwner(target, profile)
	file := NormsFile(target, profile)
	step := stage.Step{Name: name, Artifact: file, Key: NormsKey(s.Stamp, p, s.Norms.Samples.Stamp, profile, o)}
	return stage.Cached(e, step, func(string) (*quantize.Supernet, error) { return s.Overlaid(e, file) },
		func(string) (*quantize.Supernet, stage.Ended, error) {
			own, err := s.NormsOf(ctx, s.Norms, s.Arrays, p, profile, o)
			if err == nil {
				err = e.SaveArrays(file, own)
			}
			if err != nil {
				return nil, stage.Ended{}, err
			}
			return s.Arrays.Over(own), stage.Ended{}, nil
		})
}

// NormsOf are the norms of a policy of some arrays, re-estimated on samples as an estimator sees them, with the weights
// that files of a profile have.
func (s *Supernet) NormsOf(ctx context.Context, est *norms.Estimator, arrays *quantize.Supernet, p quantize.Policy, profile export.Profile, o options.NormOptions) (*quantize.Supernet, error) {
	arrays, err := s.Filed(arrays, p, profile)
	if err != nil {
		return nil, err
	}
	return est.Norms(ctx, arrays, p, o.NormSamples, s.Trained)
}
