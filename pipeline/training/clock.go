package training

import (
	"context"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize/train"
)

// timedSteps measure how long a step takes, the first one apart, which warms caches.
const timedSteps = 5

// stepsWithin is how many steps of a task fit into its time, of which what came before has had its share. The schedule
// needs their number beforehand; timing throws its updates away.
func (f *Fitter) stepsWithin(ctx context.Context, t Task, src *Source, rep *event.Reporter) (int, error) {
	net, err := t.Network(ctx)
	if err != nil {
		return 0, err
	}
	t.Options.Steps = 1 << 20
	trainer, err := train.New(net, t.Options, f.Pool)
	if err != nil {
		return 0, err
	}
	var start time.Time
	for i := range timedSteps + 1 {
		if i == 1 {
			start = time.Now()
		}
		b, err := src.Batch(ctx, trainer.Done())
		if err != nil {
			return 0, err
		}
		if _, err := trainer.Step(ctx, b, trainer.Paths(trainer.Done())); err != nil {
			return 0, err
		}
	}
	per := time.Since(start) / timedSteps
	spent := rep.Elapsed() + t.Spent
	if spent > t.Time {
		rep.Warning(fmt.Sprintf("what comes before the first step took %s, all of --time %s: training is one step", spent.Round(time.Second), t.Time))
	}
	return max(int((t.Time-spent)/max(per, 1)), 1), nil
}
