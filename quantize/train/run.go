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
	Rate        float32
}

// RunOptions of Run.
type RunOptions struct {
	Checkpoint string         // path of a file to save to; "": none
	Every      time.Duration  // between two checkpoints; 0: at the end alone
	Progress   func(Progress) // nil: none
}

// Run trains from the present step to the end of the schedule. When the context ends it gives up the step, saves the
// checkpoint and returns the context's error, so that no finished step is lost and Resume continues to the byte.
func (t *Trainer) Run(ctx context.Context, source Source, o RunOptions) error {
	saved := time.Now()
	save := func() error {
		saved = time.Now()
		if o.Checkpoint == "" {
			return nil
		}
		return t.Save(o.Checkpoint)
	}
	for t.step < t.opts.Steps {
		if err := ctx.Err(); err != nil {
			return firstError(save(), fmt.Errorf("train: stopped after step %d: %w", t.step, err))
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
		if o.Every > 0 && time.Since(saved) >= o.Every {
			if err := save(); err != nil {
				return err
			}
		}
	}
	return save()
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
