package train

import (
	"context"
	"runtime/debug"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
)

// TestStepAllocates: once a step has run every width, no further one allocates, whatever the number of paths. What Step
// returns, and the choice of paths, are the caller's.
func TestStepAllocates(t *testing.T) {
	if testing.Short() {
		t.Skip("counts allocations, to which the race detector adds")
	}
	r := newReplay(t)
	b, ctx := r.batch(0), context.Background()
	for _, step := range []int{0, 1, 2, 0} {
		if _, err := r.trainer.Step(ctx, b, r.policies(step)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{1, 4} {
		paths := r.policies(0)[:n]
		got := testing.AllocsPerRun(5, func() {
			if _, err := r.trainer.Step(ctx, b, paths); err != nil {
				t.Fatal(err)
			}
		})
		if got > 1 {
			t.Errorf("%d paths: %g allocations per step", n, got)
		}
	}
}

// TestStepOfModelsAllocates is the same for real models, whose widest path is warm after two steps. The collector
// rests: it empties what kernels keep in a sync.Pool, at a moment that is none of the step's.
func TestStepOfModelsAllocates(t *testing.T) {
	if testing.Short() {
		t.Skip("calibrates two models")
	}
	for _, file := range []string{"models/resnet20-cifar10.onnx", "models/mobilenetv2-cifar10-64.onnx"} {
		t.Run(file, func(t *testing.T) {
			const n = 2
			c := newCalibrated(t, file, n)
			pool := par.New(2)
			defer pool.Close()
			o := Defaults()
			o.Batch, o.Steps, o.Paths = n, 1, 1
			tr, err := New(c.network(t), o, pool)
			if err != nil {
				t.Fatal(err)
			}
			b, ctx, paths := Batch{X: c.x, Labels: c.label, N: n}, context.Background(), tr.Paths(0)
			step := func() {
				if _, err := tr.Step(ctx, b, paths); err != nil {
					t.Fatal(err)
				}
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			step()
			step()
			if got := testing.AllocsPerRun(1, step); got > 1 {
				t.Errorf("%g allocations per step", got)
			}
		})
	}
}
