package train

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// DivergedError says that numbers of a training are no longer finite. The last checkpoint is from before that.
type DivergedError struct {
	Step int    // updates done
	At   string // where it begins: a parameter, the input, or the output of a node
}

// Error implements error.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("training diverged after %d updates: %s holds NaN or infinite numbers", e.Step, e.At)
}

// diverged explains a loss that is not finite: it finds where policy q first computes numbers that are not finite.
func (t *Trainer) diverged(ctx context.Context, b Batch, q quantize.Policy) error {
	if err := t.poisoned(); err != nil {
		return err
	}
	e := &DivergedError{Step: t.step, At: "the loss"}
	for _, y := range b.Teacher {
		if !finite(y) {
			e.At = "the output of the float model"
			return e
		}
	}
	at, err := t.firstBad(ctx, b, q)
	if err != nil {
		return err
	}
	if at != "" {
		e.At = at
	}
	return e
}

// poisoned is a *DivergedError for the first parameter that is not finite, nil if all are.
func (t *Trainer) poisoned() error {
	for _, p := range t.params {
		if !finite(p.Data) {
			return &DivergedError{Step: t.step, At: fmt.Sprintf("parameter %q", p.Name)}
		}
	}
	return nil
}

// firstBad runs policy q once more with all values kept. It names the first node whose output is not finite.
func (t *Trainer) firstBad(ctx context.Context, b Batch, q quantize.Policy) (string, error) {
	var keep []*engine.Value
	for _, n := range t.net.Graph.Nodes {
		keep = append(keep, n.Outputs...)
	}
	exec, err := engine.Compile(t.net.Graph, engine.Options{Batch: b.N, Pool: t.pool, Keep: keep})
	if err != nil {
		return "", fmt.Errorf("locate the divergence: %w", err)
	}
	t.net.Tap(fakequant.Off, nil, 0)
	if err := t.net.Select(q); err != nil {
		return "", fmt.Errorf("locate the divergence: %w", err)
	}
	exec.SetTraining(!t.opts.Frozen)
	copy(exec.Input(0).Data, b.X)
	if err := exec.Forward(ctx); err != nil {
		return "", fmt.Errorf("locate the divergence: %w", err)
	}
	for _, n := range t.net.Graph.Nodes {
		for _, v := range n.Outputs {
			if !finite(exec.Value(v).Data) {
				return fmt.Sprintf("the output of node %q", n.Name), nil
			}
		}
	}
	return "", nil
}

// finite reports whether all elements are finite.
func finite(x []float32) bool {
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
