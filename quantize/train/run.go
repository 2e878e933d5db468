package train

import (
	"context"
	"fmt"
	"time"
)

// Progress is what Run reports after each step.
type Progress struct {
	Step, Steps int // updates done, and of the whole schedule
	Losses      []Losses
	Rate        float32 // of SGD
}

// RunOptions of Run.
type RunOptions struct {
	Checkpoint string         // file to save to; "": none
	Every      time.Duration  // least time between two checkpoints; 0: only at the end
	Progress   func(Progress) // may be nil
	// Saved is called with the time that each checkpoint took. It may be nil.
	Saved func(took time.Duration)
}

// checkpointShare bounds the cost of checkpoints to one part in so many of the time of training.
const checkpointShare = 100

// Run trains from the present step to the end of the schedule.
//
// When the context ends, Run abandons the current step, saves a checkpoint, and returns the context's error. No
// finished step is lost, and Resume continues with the same results to the byte. Other errors are those of the source,
// of Save, and *DivergedError.
func (t *Trainer) Run(ctx context.Context, source Source, o RunOptions) error {
	saved, every := time.Now(), o.Every
	save := func() error {
		if o.Checkpoint == "" {
			return t.poisoned()
		}
		start := time.Now()
		err := t.Save(o.Checkpoint)
		saved = time.Now()
		every = max(o.Every, saved.Sub(start)*checkpointShare)
		if o.Saved != nil {
			o.Saved(saved.Sub(start))
		}
		return err
	}
	for t.step < t.opts.Steps {
		if err := ctx.Err(); err != nil {
			if failed := save(); failed != nil {
				return fmt.Errorf("train: stopped after step %d without a checkpoint: %w", t.step, failed)
			}
			return fmt.Errorf("train: stopped after step %d: %w", t.step, err)
		}
		b, err := source.Batch(ctx, t.step)
		if ctx.Err() != nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("train: batch of step %d: %w", t.step, err)
		}
		rate, _ := t.opts.rates(t.step)
		losses, err := t.Step(ctx, b, t.Paths(t.step))
		if ctx.Err() != nil && err != nil {
			continue
		}
		if err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(Progress{t.step, t.opts.Steps, losses, rate})
		}
		if o.Every > 0 && time.Since(saved) >= every {
			if err := save(); err != nil {
				return err
			}
		}
	}
	return save()
}
