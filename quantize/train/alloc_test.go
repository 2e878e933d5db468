package train

import (
	"context"
	"testing"
)

// TestStepAllocates: once a step has run every width, no further one allocates, whatever the number of paths. What Step
// returns, and the choice of paths, are the caller's.
func TestStepAllocates(t *testing.T) {
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
