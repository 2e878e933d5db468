package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// simulationTime bounds how long the simulation runs over the test pictures. It is exact but not fast; where it has not
// seen all pictures by then, the runtime's result stands for the rest, which verification makes equal.
const simulationTime = 60 * time.Second

// errEnough ends a loop over pictures before its end.
var errEnough = errors.New("enough")

// simulate runs the simulation over pictures of the test split, as many as simulationTime allows.
func (j *job) simulate(ctx context.Context, sim *integer.Network, set *dataset.Set, indices []int, m measurement) (*reference, error) {
	r := &reference{tally: metric.Tally{Labels: j.data.Labels}}
	list, err := j.outputs()
	if err == nil {
		err = r.begin(list)
	}
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(simulationTime)
	rep := j.o.Events.Start(event.StageVerify, "simulation", "")
	err = j.data.Each(ctx, set, indices, evalBatch, func(b pictures.Batch) error {
		if time.Now().After(deadline) {
			return errEnough
		}
		y, err := sim.Run(ctx, j.pool, b.X, b.N, false)
		if err != nil {
			return err
		}
		rows, err := list.Joined(append([][]float32{y.Logits}, y.More...), b.N)
		if err != nil {
			return err
		}
		if err := r.add(ctx, rows, b, m); err != nil {
			return err
		}
		rep.Progress(int64(b.Done), int64(len(indices)), "")
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	r.finish(m)
	return r, nil
}

// network builds the simulation of a path as files of a profile compute it.
func (j *job) network(supernet *quantize.Supernet, p quantize.Policy, profile string) (*integer.Network, error) {
	plan, err := export.For(j.model, j.plan, profile)
	if err != nil {
		return nil, err
	}
	n, err := integer.BuildWith(j.model, plan, supernet, p, decode.Function)
	if err != nil {
		return nil, fmt.Errorf("build the simulation: %w", err)
	}
	return n, nil
}
