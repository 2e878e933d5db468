package training

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/search"
	"github.com/mpqc/mpqc/quantize/train"
)

// Options of the stage.
type Options struct {
	options.TrainingOptions
	options.RoundingOptions
	// Other says that this run states other options of training than those of the supernet that stays.
	Other bool
	// Tunes says that policies will be trained alone with the options that this run states.
	Tunes bool
	// Guided is told of the narrowest policy that paths are drawn near, where training is guided by any.
	Guided func(narrowest quantize.Policy, rep *event.Reporter) error
}

// checkpointFile holds the training of the supernet while it is under way; it is removed once the supernet is there.
const checkpointFile = "checkpoint.safetensors"

// Key is what decides the training of a supernet from a calibration with a stamp, on paths near some policies.
func Key(calibration string, o options.TrainingOptions, guides []quantize.Policy, seed uint64) stage.Key {
	return stage.Key{Version: train.Version, Options: []any{o}, Inputs: []any{calibration, guides, seed}}
}

// Run is the training stage and the rounding of what it leaves: supernet.safetensors and the codes of its weights. A
// finished supernet is kept, whatever the options, unless the run does not keep any.
func Run(ctx context.Context, e *stage.Env, c *calibration.Calibrated, p *samples.Samples, o Options) (*supernet.Supernet, error) {
	est, err := supernet.Estimator(e, c, p, o.TrainingOptions)
	if err != nil {
		return nil, err
	}
	if e.Keep {
		keep(e, o)
	} else if err := create(ctx, e, c, p, est, o); err != nil {
		return nil, stage.Wrap(event.StageTrain, err)
	}
	arrays, sum, err := supernet.Load(e, c)
	if err != nil {
		return nil, err
	}
	codes, err := round(ctx, e, c, p, arrays, sum, o)
	if err != nil {
		return nil, stage.Wrap(event.StageRound, err)
	}
	return supernet.With(e, c, est, arrays, sum, o.RoundingOptions, codes)
}

// keep says what a kept supernet does not follow from.
func keep(e *stage.Env, o Options) {
	warnOther(e)
	if !o.Other {
		return
	}
	text := "keeping the supernet that was trained with other options; --retrain trains anew"
	if o.Tunes {
		text += ", --polish trains with them"
	}
	e.Warn(event.StageTrain, "", text)
}

// warnOther says that numbers of a kept supernet may flatter: what is held out now may have been trained on.
func warnOther(e *stage.Env) {
	trained, now := e.Workspace.Manifest.Trained, e.Workspace.Manifest.Data
	if trained == nil || trained.Fingerprint == now.Fingerprint {
		return
	}
	e.Warn(event.StageTrain, "", fmt.Sprintf(
		"the supernet was trained on other samples, %s: test samples of %s may be among them, which would make accuracies too good; --retrain trains anew",
		trained.Path, now.Path))
}

// create writes supernet.safetensors: trained, or as calibration left it.
func create(ctx context.Context, e *stage.Env, c *calibration.Calibrated, p *samples.Samples, est *norms.Estimator, o Options) error {
	guides, err := guide(ctx, e, c, p, est, o)
	if err != nil {
		return err
	}
	stamp, err := Key(c.Stamp, o.TrainingOptions, guides, e.Seed).Stamp()
	if err != nil {
		return err
	}
	rep := e.Start(event.StageTrain, "", "")
	arrays, note, text := c.Start, stage.PostTraining, stage.PostTraining
	if o.Trains() {
		note = ""
		if arrays, err = trainSupernet(ctx, e, c, p, est, o, guides, stamp, rep); err != nil {
			return err
		}
		text = fmt.Sprintf("%.1f %% of it waiting for samples", 100*e.Seconds.Waiting/rep.Elapsed().Seconds())
	} else if err := e.Workspace.Remove(stage.TrainingFile); err != nil {
		return err
	}
	samples.WarnBad(e, "training", p.Train)
	if err := e.SaveArrays(stage.SupernetFile, arrays); err != nil {
		return err
	}
	e.Seconds.Train += rep.Done(text)
	e.Workspace.Manifest.Trained = e.Workspace.Manifest.Data
	if err := e.Workspace.End(event.StageTrain, stamp, e.Seconds.Train, note); err != nil {
		return err
	}
	return NewFitter(e).Forget(checkpointFile)
}

// trainSupernet trains the calibrated supernet on the training samples.
func trainSupernet(ctx context.Context, e *stage.Env, c *calibration.Calibrated, p *samples.Samples, est *norms.Estimator, o Options, guides []quantize.Policy, stamp string, rep *event.Reporter) (*quantize.Supernet, error) {
	src, err := Samples(e, c, p, o.TrainingOptions)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	t := Task{
		Stage: event.StageTrain, Stamp: stamp, Adopt: e.Unstamped(), Checkpoint: checkpointFile, Options: Recipe(e.Seed, o.TrainingOptions, src, onePath(c.Plan)),
		Time: o.Time, Spent: time.Duration(e.Seconds.Train * float64(time.Second)),
		Network: func(ctx context.Context) (*fakequant.Network, error) {
			net, err := est.Rebased(ctx, c.Start)
			if err == nil && o.SharedNorms != nil && *o.SharedNorms {
				net.ShareNorms()
			}
			return net, err
		},
	}
	t.Options.Guides = guides
	f := NewFitter(e)
	f.Saved = func(took time.Duration) { e.Seconds.Checkpoints += took.Seconds() }
	done, err := f.Fit(ctx, t, src, rep)
	if errors.As(err, new(*train.DivergedError)) {
		err = fmt.Errorf("%w; a lower --lr trains more gently", err)
	}
	if err != nil {
		return nil, err
	}
	e.Seconds.Waiting = src.Waited.Seconds()
	return done.Supernet(), e.Workspace.WriteJSON(stage.TrainingFile, done.History())
}

// onePath reports whether a plan leaves one path to train.
func onePath(plan *quantize.Plan) bool {
	_, one := search.OnlyPolicy(plan)
	return one
}

// Samples is a source of the training samples of a calibrated network. Callers close it.
func Samples(e *stage.Env, c *calibration.Calibrated, p *samples.Samples, o options.TrainingOptions) (*Source, error) {
	list, err := evaluation.Outputs(c.Network, p)
	if err != nil {
		return nil, err
	}
	return NewSource(e, p, o, list, c.Network)
}

// NewFitter trains in the workspace of a run.
func NewFitter(e *stage.Env) *Fitter {
	return &Fitter{Workspace: e.Workspace, Pool: e.Pool, Every: e.Machine.CheckpointEvery}
}
