package measurement

import (
	"context"
	"errors"
	"time"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/quantize/integer"
)

// simulationTime bounds how long the simulation runs over the test pictures. It is exact but not fast; where it has not
// seen all pictures by then, the runtime's result stands for the rest, which verification makes equal.
const simulationTime = 60 * time.Second

// errEnough ends a loop over pictures before its end.
var errEnough = errors.New("enough")

// Simulate measures the simulation of a network with these outputs over test pictures, as many as simulationTime allows.
func Simulate(ctx context.Context, sim *integer.Network, pool *par.Pool, p *pictures.Pictures, indices []int, list metric.Outputs, o Options) (*Result, error) {
	r := &Result{Tally: metric.Tally{Labels: p.Labels}}
	if err := r.begin(list); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(simulationTime)
	err := p.Each(ctx, p.Test, indices, Batch, func(b pictures.Batch) error {
		if time.Now().After(deadline) {
			return errEnough
		}
		y, err := sim.Run(ctx, pool, b.X, b.N, false)
		if err != nil {
			return err
		}
		rows, err := list.Joined(append([][]float32{y.Logits}, y.More...), b.N)
		if err != nil {
			return err
		}
		if err := r.add(ctx, rows, b, o); err != nil {
			return err
		}
		o.seen(b.Done)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	r.finish(o)
	return r, nil
}
