package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/norms"
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
		Start:   func() (*quantize.Supernet, error) { return quantize.LoadSupernet(j.w.Path(startFile)) },
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

// normsFile holds the BatchNorms re-estimated for the policy of a target.
func normsFile(target string) string { return "search/" + fileName(target) + ".norms.safetensors" }

// normsVersion rises when re-estimation gives other statistics with the same options.
const normsVersion = 2

// reestimate returns the supernet with the BatchNorm statistics of a path re-estimated on training pictures: training
// saw each pair of widths amid random neighbours, not amid those that were chosen.
func (j *job) reestimate(ctx context.Context, p quantize.Policy, target string) (*quantize.Supernet, error) {
	stamp, err := workspace.Fingerprint(j.supernetPrint(), p, j.o.NormSamples, j.data.Stamp, normsVersion)
	if err != nil {
		return nil, err
	}
	stage := event.Stage("norms " + target)
	if target != "" && j.w.Finished(stage, stamp, normsFile(target)) {
		return j.overlaid(normsFile(target))
	}
	e, err := j.estimator()
	if err != nil {
		return nil, err
	}
	own, err := e.Norms(ctx, j.supernet, p, j.o.NormSamples, j.trained())
	if err != nil {
		return nil, err
	}
	if target == "" {
		return j.supernet.Over(own), nil
	}
	if err := own.Save(j.w.Path(normsFile(target))); err != nil {
		return nil, err
	}
	return j.supernet.Over(own), j.w.End(stage, stamp, 0, "")
}
