// Package training runs the trainer over the samples of a run: batches decoded ahead, beside them what the float model
// says; a schedule that may have to fit into a time; and checkpoints in the workspace, from which an interrupted run
// goes on.
package training

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// Task is what is trained: the supernet, or the policy of a target.
type Task struct {
	Stage event.Stage
	Stamp string // fingerprint of everything that decides the result
	// Adopt goes on from a checkpoint of the stage whatever its stamp: the program that wrote it made stamps in another
	// way.
	Adopt      bool
	Checkpoint string // file of the workspace that holds the training while it is under way
	Options    train.Options
	Network    func(context.Context) (*fakequant.Network, error) // as it is before the first step
	// Time limits a task whose options have no number of steps. What comes before the first step counts, Spent before
	// this.
	Time, Spent time.Duration
}

// Fitter trains in a workspace.
type Fitter struct {
	Workspace *workspace.Workspace
	Pool      *par.Pool
	Every     time.Duration            // between two checkpoints
	Saved     func(took time.Duration) // told of every checkpoint; nil: nobody is
}

// Fit trains from the last checkpoint where the task was under way with the same stamp, else from the start.
func (f *Fitter) Fit(ctx context.Context, t Task, src *Source, rep *event.Reporter) (*train.Trainer, error) {
	state, resume, err := f.state(ctx, t, src, rep)
	if err != nil {
		return nil, err
	}
	// The length of a schedule is recorded before its first step: a time limit decides about it only once.
	f.Workspace.Manifest.Stages[string(t.Stage)] = state
	if err := f.Workspace.Save(); err != nil {
		return nil, err
	}
	trainer, err := f.trainer(ctx, t, state.Steps)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("%d steps of %d samples, paths per step: %d", state.Steps, t.Options.Batch, t.Options.Paths+1)
	path := f.Workspace.Path(t.Checkpoint)
	if resume {
		if resume, err = f.resume(t.Checkpoint, trainer, rep); err != nil {
			return nil, err
		}
		if resume {
			rep.From = int64(trainer.Done())
			text = fmt.Sprintf("going on at step %d of %d", trainer.Done(), state.Steps)
		} else if trainer, err = f.trainer(ctx, t, state.Steps); err != nil { // a damaged one may have left its traces
			return nil, err
		}
	}
	rep.Message(text)
	src.Waited = 0
	defer file.Saving()() // a step ends before its checkpoint is written
	err = trainer.Run(ctx, src, train.RunOptions{
		Checkpoint: path, Every: f.Every, Saved: f.Saved,
		Progress: func(p train.Progress) { rep.Progress(int64(p.Step), int64(p.Steps), lossText(p.Losses)) },
	})
	if errors.As(err, new(*train.DivergedError)) {
		err = fmt.Errorf("%w; %s", err, lastCheckpoint(path))
	}
	return trainer, err
}

// otherOptions is said of a checkpoint that is of no use.
const otherOptions = "the checkpoint of the interrupted training was made with other options; training starts anew"

// resume goes on from the last checkpoint that is whole, and removes those that are not; false: there is none.
func (f *Fitter) resume(checkpoint string, trainer *train.Trainer, rep *event.Reporter) (bool, error) {
	for i, name := range generations(checkpoint) {
		err := trainer.Resume(f.Workspace.Path(name))
		if err == nil {
			return true, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, train.ErrOther) {
			rep.Warning(otherOptions)
			return false, f.Forget(checkpoint)
		}
		if !errors.Is(err, train.ErrDamaged) {
			return false, err
		}
		rep.Warning(fmt.Sprintf("%v; %s", err, []string{"going on from the one before, if that is whole", "training starts anew"}[i]))
		if err := f.Workspace.Remove(name); err != nil {
			return false, err
		}
	}
	return false, nil
}

// generations are the last checkpoint and the one before.
func generations(checkpoint string) []string { return []string{checkpoint, train.Before(checkpoint)} }

// Forget removes the checkpoints of a task that is done.
func (f *Fitter) Forget(checkpoint string) error {
	return f.Workspace.Remove(generations(checkpoint)...)
}

// trainer is one before its first step, with the rates of its number of steps.
func (f *Fitter) trainer(ctx context.Context, t Task, steps int) (*train.Trainer, error) {
	o := t.Options
	o.Steps = steps
	if o.Rate == 0 {
		o.Rate = train.Rate(o.Steps, o.Batch, o.Frozen)
	}
	o.StepRate = train.StepRate(o.Steps)
	net, err := t.Network(ctx)
	if err != nil {
		return nil, err
	}
	return train.New(net, o, f.Pool)
}

// state is that in which a task begins or goes on. The checkpoint of another one, which that would take for its own
// after an interruption, is removed.
func (f *Fitter) state(ctx context.Context, t Task, src *Source, rep *event.Reporter) (state workspace.StageState, resume bool, err error) {
	before := f.Workspace.Manifest.Stages[string(t.Stage)]
	state = workspace.StageState{Fingerprint: t.Stamp, Steps: t.Options.Steps, ISA: kernel.Active().String(), Stamps: workspace.StampsVersion}
	under := !before.Done && before.Steps > 0 && slices.ContainsFunc(generations(t.Checkpoint), f.Workspace.Has)
	if under && (before.Fingerprint == t.Stamp || t.Adopt) {
		state.Steps, state.ISA = before.Steps, f.Workspace.ISA(t.Stage)
		if before.ISA != "" && state.ISA != before.ISA {
			rep.Warning(fmt.Sprintf("training began with %s kernels and goes on with %s: its last bits may differ from those of one machine",
				before.ISA, kernel.Active()))
		}
		return state, true, nil
	}
	if under {
		rep.Warning(otherOptions)
	}
	if state.Steps == 0 {
		if state.Steps, err = f.stepsWithin(ctx, t, src, rep); err != nil {
			return state, false, err
		}
	}
	return state, false, f.Forget(t.Checkpoint)
}

// lastCheckpoint says what is left of a training that failed.
func lastCheckpoint(path string) string {
	for _, name := range generations(path) {
		if at, err := train.CheckpointStep(name); err == nil {
			return fmt.Sprintf("%s holds the state after %d updates", name, at)
		}
	}
	return "there is no checkpoint from before"
}

func lossText(losses []train.Losses) string {
	if len(losses) == 0 {
		return ""
	}
	var rest float64
	for _, l := range losses[1:] {
		rest += l.Total / float64(len(losses)-1)
	}
	return fmt.Sprintf("loss %.3f widest, %.3f random paths", losses[0].Total, rest)
}
