package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// estimator estimates norms of the job's supernets.
func (j *job) estimator() (*norms.Estimator, error) {
	augment, err := dataset.ParseAugmentation(j.o.Augment)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if j.controls == nil {
		j.controls = norms.Controls{}
	}
	plan := j.plan
	return &norms.Estimator{
		Plan: plan, Pictures: j.data, Augment: augment, Seed: *j.o.Seed, Pool: j.pool, Controls: j.controls,
		Network: func(s *quantize.Supernet) (*fakequant.Network, error) { return j.loaded(plan, s) },
		Start:   func() (*quantize.Supernet, error) { return j.loadArrays(startFile) },
	}, nil
}

// trained reports whether the supernet was trained, not only calibrated.
func (j *job) trained() bool {
	s := j.w.Manifest.Stages[string(event.StageTrain)]
	return s.Done && s.Note != postTraining
}

// trainable is the engine's network with the quantizers of the plan, loaded with the supernet.
func (j *job) trainable() (*fakequant.Network, error) { return j.loaded(j.plan, j.supernet) }

// loaded is the engine's network with the quantizers of a plan, loaded with what a supernet holds for it.
func (j *job) loaded(plan *quantize.Plan, s *quantize.Supernet) (*fakequant.Network, error) {
	g, err := decode.Decode(j.model)
	if err != nil {
		return nil, fmt.Errorf("decode the calibrated model: %w", err)
	}
	net, err := fakequant.Rewrite(g, plan, fakequant.Options{BiasRounding: true})
	if err != nil {
		return nil, err
	}
	if j.o.Float {
		net.Disable()
	}
	return net, net.Load(s)
}

// openLanes are as many lanes as candidates are scored at a time.
func (j *job) openLanes(ctx context.Context) ([]*norms.Lane, error) {
	if len(j.lanes) > 0 {
		return j.lanes, nil
	}
	e, err := j.estimator()
	if err != nil {
		return nil, err
	}
	j.lanes, err = e.Lanes(ctx, j.supernet, j.o.Workers(), j.trained())
	return j.lanes, err
}

// normsOwner names what re-estimated BatchNorms are of: files of a target that bound the same pairs of weights.
func normsOwner(target, profile string) (stage event.Stage, suffix string) {
	switch export.Named(profile).Pairs {
	case quantize.PairedFlat:
		return event.Stage("norms " + target), ""
	case quantize.PairedEither:
		return event.Stage("norms " + target + " either"), ".either"
	default:
		return event.Stage("norms " + target + " free"), ".free"
	}
}

// normsFile holds the BatchNorms re-estimated for the policy of a target, as files of a profile have them.
func normsFile(target, profile string) string {
	_, suffix := normsOwner(target, profile)
	return "search/" + fileName(target) + ".norms" + suffix + ".safetensors"
}

// normsVersion rises when re-estimation gives other statistics with the same options.
const normsVersion = 3

// reestimate returns the supernet with the BatchNorm statistics of a path re-estimated on training pictures, with the weights that files of
// a profile have: training saw each pair of widths amid random neighbours, not amid those that were chosen.
func (j *job) reestimate(ctx context.Context, p quantize.Policy, target, profile string) (*quantize.Supernet, error) {
	stamp, err := workspace.Fingerprint(j.supernetPrint(), p, j.o.NormSamples, j.data.Stamp, normsVersion, export.Named(profile).SupernetVersion())
	if err != nil {
		return nil, err
	}
	stage, _ := normsOwner(target, profile)
	file := normsFile(target, profile)
	if target != "" && j.w.Finished(stage, stamp, file) {
		s, err := j.overlaid(file)
		if again, stop := j.anew(err, stage); stop != nil || !again {
			return s, stop
		}
	}
	own, err := j.normsOf(ctx, j.supernet, p, profile)
	if err != nil {
		return nil, err
	}
	if target == "" {
		return j.supernet.Over(own), nil
	}
	if err := j.saveArrays(file, own); err != nil {
		return nil, err
	}
	return j.supernet.Over(own), j.w.End(stage, stamp, 0, "")
}

// normsOf are the norms of a path of a supernet, re-estimated with the weights that files of a profile have.
func (j *job) normsOf(ctx context.Context, s *quantize.Supernet, p quantize.Policy, profile string) (*quantize.Supernet, error) {
	e, err := j.estimator()
	if err != nil {
		return nil, err
	}
	if s, err = j.filed(s, p, profile); err != nil {
		return nil, err
	}
	return e.Norms(ctx, s, p, j.o.NormSamples, j.trained())
}

// filed is a supernet as files of a profile hold a path: bounded pairs of weights shift what a layer puts out.
func (j *job) filed(s *quantize.Supernet, p quantize.Policy, profile string) (*quantize.Supernet, error) {
	if j.o.Float {
		return s, nil
	}
	s, _, err := export.Named(profile).Supernet(j.plan, s, p)
	return s, err
}
