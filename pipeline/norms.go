package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// normBatch is the batch whose statistics are averaged: large enough that layers behind normalise as in training.
const normBatch = 64

// estimator averages BatchNorm statistics over training pictures in the engine's network of a supernet.
type estimator struct {
	job  *job
	from *quantize.Supernet
	net  *fakequant.Network
	sim  *train.Simulation

	augment dataset.Augmentation
	trained bool // its norms came from these pictures: no control
}

// estimator is one for a supernet, which was trained, or calibrated only.
func (j *job) estimator(s *quantize.Supernet, trained bool) (*estimator, error) {
	augment, err := j.normAugmentation(trained)
	if err != nil {
		return nil, err
	}
	net, err := j.loaded(j.plan, s)
	if err != nil {
		return nil, err
	}
	sim, err := train.NewSimulation(net, normBatch, j.pool)
	if err != nil {
		return nil, err
	}
	return &estimator{j, s, net, sim, augment, trained}, nil
}

// trained reports whether the supernet was trained, not only calibrated.
func (j *job) trained() bool {
	s := j.w.Manifest.Stages[string(event.StageTrain)]
	return s.Done && s.Note != postTraining
}

// normAugmentation makes statistics see pictures as training saw them, augmented if the supernet was trained so.
// Statistics of plain pictures are not those that weights and norms have grown used to: on ResNet-20, trained with crops
// that let black borders in, they cost 1.5 points of top-1 on training pictures that were held out.
func (j *job) normAugmentation(trained bool) (dataset.Augmentation, error) {
	var none dataset.Augmentation
	if !trained {
		return none, nil
	}
	augment, err := dataset.ParseAugmentation(j.o.Augment)
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return augment, nil
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

// norms returns the BatchNorms of a path with mean and variance averaged over training pictures.
func (e *estimator) norms(ctx context.Context, p quantize.Policy, samples int) (*quantize.Supernet, error) {
	j := e.job
	if err := e.net.Load(e.from); err != nil {
		return nil, err
	}
	err := e.sim.ReestimateNorms(ctx, p, func(ctx context.Context, yield func([]float32, int) error) error {
		return j.normPictures(ctx, samples, e.augment, yield)
	})
	if err != nil {
		return nil, err
	}
	norms := normsOf(e.net.Supernet(), j.plan, p)
	if e.trained {
		return norms, nil
	}
	c, err := j.control(ctx, samples)
	if err != nil {
		return nil, err
	}
	c.correct(norms, p)
	return norms, nil
}

// normPictures yields batches of training pictures.
func (j *job) normPictures(ctx context.Context, n int, augment dataset.Augmentation, yield func([]float32, int) error) error {
	data, seed := j.data, *j.o.Seed
	l := data.Train.NewLoader(ctx, dataset.LoaderOptions{
		Batch: normBatch, Indices: data.Mixed(n, "norms", seed), Augment: augment, Seed: seed,
	})
	defer l.Close()
	for {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read pictures: %w", err)
		}
		if err := yield(b.X, len(b.Indices)); err != nil {
			return err
		}
	}
}

// reestimateNorms returns the BatchNorms of a path of a supernet.
func (j *job) reestimateNorms(ctx context.Context, s *quantize.Supernet, p quantize.Policy, trained bool) (*quantize.Supernet, error) {
	e, err := j.estimator(s, trained)
	if err != nil {
		return nil, err
	}
	return e.norms(ctx, p, j.o.NormSamples)
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
	norms, err := j.reestimateNorms(ctx, j.supernet, p, j.trained())
	if err != nil || target == "" {
		return j.supernet.Over(norms), err
	}
	if err := norms.Save(j.w.Path(normsFile(target))); err != nil {
		return nil, err
	}
	return j.supernet.Over(norms), j.w.End(stage, stamp, 0, "")
}

// normsOf picks the BatchNorm arrays of a path out of a supernet.
func normsOf(s *quantize.Supernet, plan *quantize.Plan, p quantize.Policy) *quantize.Supernet {
	out := &quantize.Supernet{Arrays: map[string]quantize.Array{}, EPS: s.EPS}
	for i, l := range plan.Layers {
		w, a := plan.Bits(p, i)
		prefix := strings.TrimSuffix(quantize.NormName(l.Node, w, a, ""), ".")
		for _, part := range []string{"gamma", "beta", "mean", "var"} {
			if v, ok := s.Arrays[prefix+"."+part]; ok {
				out.Arrays[prefix+"."+part] = v
			}
		}
	}
	return out
}
