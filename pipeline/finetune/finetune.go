// Package finetune trains the policy of a target alone, from the supernet, which stays as it is.
package finetune

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// Options of the stage.
type Options struct {
	options.FinetuneOptions
	// TrainingOptions are those that this run states, whatever the supernet was trained with.
	options.TrainingOptions
	// Rate is the learning rate that this run states; 0: it follows from the number of updates. That of the supernet
	// may be too high for frozen norms.
	Rate float64
	options.NormOptions
	Profile export.Profile // of the files that training begins with what they compute
}

// version rises when fine-tuning gives another result with the same options.
const version = 6

// File holds what fine-tuning of a target's policy has changed: weights, step sizes and norms.
func File(target string) string {
	return "search/" + workspace.FileName(target) + stage.TunedSuffix
}

// Key is what decides the fine-tuning of a policy of a supernet with a stamp, on samples with a stamp.
func Key(e *stage.Env, supernet, samples string, p quantize.Policy, o Options) stage.Key {
	t := o.TrainingOptions
	t.Epochs, t.Time, t.LeastUpdates, t.LearningRate = nil, 0, nil, o.Rate // Polish says how long
	t.Paths, t.Sampling = 0, ""                                            // there is one path
	paired := o.Profile.Pairs != quantize.Unpaired
	return stage.Key{
		Version: version, Options: []any{o.FinetuneOptions, t, o.NormOptions},
		Inputs: []any{supernet, samples, p, e.Seed, paired, train.Version, norms.Version, o.Profile.SupernetVersion()},
	}
}

// Of is how the policy of a target is to be fine-tuned: as this run says, else as it was before; nil: not at all.
func Of(e *stage.Env, sup *supernet.Supernet, target string, p quantize.Policy, o Options) (*record.Finetune, error) {
	if o.Polish != nil {
		if *o.Polish == 0 {
			return nil, record.WriteFinetune(e.Workspace, target, nil)
		}
		stamp, err := Key(e, sup.Stamp, sup.Norms.Samples.Stamp, p, o).Stamp()
		return &record.Finetune{Epochs: *o.Polish, Stamp: stamp, Supernet: sup.Stamp, Policy: p}, err
	}
	was, err := record.ReadFinetune(e.Workspace, target, false)
	if err != nil || was == nil || done(e, target, was) && was.Supernet == sup.Stamp && was.Policy.Equal(p) {
		return was, err
	}
	e.Warn(event.StagePolish, target, fmt.Sprintf(
		"another supernet or policy was polished for %g epochs, not this one: mpqc compress --target %s --polish %[1]g does that", was.Epochs, target))
	return nil, nil
}

// done reports whether the result of a fine-tuning is there.
func done(e *stage.Env, target string, m *record.Finetune) bool {
	return e.Workspace.Finished(record.FinetuneStage(target), m.Stamp, File(target))
}

// Run returns the supernet with a policy of a target trained alone, from arrays whose norms are those of the policy.
// What changes lies in a file of the target.
func Run(ctx context.Context, e *stage.Env, sup *supernet.Supernet, m *record.Finetune, target string, from *quantize.Supernet, o Options) (*quantize.Supernet, error) {
	if !done(e, target, m) {
		if err := trainAlone(ctx, e, sup, m, target, from, o); err != nil {
			return nil, err
		}
	}
	if err := record.WriteFinetune(e.Workspace, target, m); err != nil {
		return nil, err
	}
	s, err := sup.Overlaid(e, File(target))
	return s, e.Refuse(err)
}

// trainAlone writes the file. Training begins with what files of the first profile compute, and ends with the means of
// what it has trained.
func trainAlone(ctx context.Context, e *stage.Env, sup *supernet.Supernet, m *record.Finetune, target string, from *quantize.Supernet, o Options) error {
	p := sup.Norms.Samples
	src, err := training.Samples(e, sup.Calibrated, p, o.TrainingOptions)
	if err != nil {
		return err
	}
	defer src.Close()
	t := training.Task{
		Stage: record.FinetuneStage(target), Stamp: m.Stamp, Checkpoint: "search/" + workspace.FileName(target) + ".checkpoint.safetensors",
		Options: training.Recipe(e.Seed, o.TrainingOptions, src, true),
		Network: func(context.Context) (*fakequant.Network, error) { return alone(sup, m.Policy, from, o.Profile) },
	}
	t.Options.Steps = max(int(math.Ceil(m.Epochs*float64(src.PerEpoch))), 1)
	t.Options.Frozen = true // the norms are those of the policy
	t.Options.Rate = o.Rate
	rep := e.Start(event.StagePolish, target, "")
	fitter := training.NewFitter(e)
	trainer, err := fitter.Fit(ctx, t, src, rep)
	if err != nil {
		return err
	}
	own := trainer.Supernet()
	if err := recentre(ctx, sup, own, m.Policy, o); err != nil {
		return err
	}
	if err := e.SaveArrays(File(target), own); err != nil {
		return err
	}
	seconds := rep.Done("")
	e.Seconds.Polish += seconds
	if err := e.Workspace.End(t.Stage, t.Stamp, seconds, ""); err != nil {
		return err
	}
	return fitter.Forget(t.Checkpoint)
}

// recentre re-estimates the means of the norms of a policy that was trained alone with frozen ones. Layers read
// positive numbers as a rule, so means are many times the deviation, and a weight step that is a thousandth larger
// shifts an output by a hundredth of it. Variances are left: training has set the scale of each channel.
func recentre(ctx context.Context, sup *supernet.Supernet, own *quantize.Supernet, p quantize.Policy, o Options) error {
	augment, err := dataset.ParseAugmentation(o.Augment)
	if err != nil {
		return fmt.Errorf("%w: %w", options.ErrUsage, err)
	}
	est := *sup.Norms
	est.Augment = augment
	norms, err := sup.NormsOf(ctx, &est, sup.Arrays.Over(own), p, o.Profile, o.NormOptions)
	if err != nil {
		return err
	}
	for i := range sup.Plan.Layers {
		w, a := sup.Plan.Bits(p, i)
		name := quantize.NormName(sup.Plan.Layers[i].Node, w, a, "mean")
		if mean, ok := norms.Arrays[name]; ok {
			own.Arrays[name] = mean
		}
	}
	return nil
}

// alone is the network of a policy as files of a profile compute it, before training.
func alone(sup *supernet.Supernet, p quantize.Policy, from *quantize.Supernet, profile export.Profile) (*fakequant.Network, error) {
	plan, err := sup.Plan.Only(p)
	if err != nil {
		return nil, err
	}
	if from, err = sup.Filed(from, p, profile); err != nil {
		return nil, err
	}
	if from, err = from.Dequantized(sup.Plan, p); err != nil {
		return nil, err
	}
	return sup.Loaded(plan, from)
}
