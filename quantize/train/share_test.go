package train

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// TestCheckpointShare: however often checkpoints are asked for, one takes less than a hundredth of the time until the
// next. That holds on any disk and any load; the last one, after the interrupt, comes when it must.
func TestCheckpointShare(t *testing.T) {
	r, tr := runOf(t, 1, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var took []time.Duration
	var ends []time.Time
	saved := func(d time.Duration) {
		took, ends = append(took, d), append(ends, time.Now())
		if len(took) == 3 {
			cancel()
		}
	}
	err := tr.Run(ctx, &looped{replay: r}, RunOptions{Checkpoint: filepath.Join(t.TempDir(), "c"), Every: 1, Saved: saved})
	if !errors.Is(err, context.Canceled) || len(took) != 4 {
		t.Fatalf("%d checkpoints, %v", len(took), err)
	}
	for i := range 2 {
		if gap := ends[i+1].Sub(ends[i]) - took[i+1]; gap < 99*took[i] {
			t.Errorf("checkpoint %d took %v, the next came after %v", i, took[i], gap)
		}
	}
}
