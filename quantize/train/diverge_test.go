package train

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/quantize"
)

// TestDiverged: numbers that are not finite end training with the place where they begin, and never reach a checkpoint.
func TestDiverged(t *testing.T) {
	nan := float32(math.NaN())
	for _, tc := range []struct {
		name   string
		damage func(*replay, *Trainer, *Batch)
		at     string
	}{
		{"input", func(_ *replay, _ *Trainer, b *Batch) { b.X[7] = float32(math.Inf(1)) }, "the input"},
		{"weight", func(_ *replay, tr *Trainer, _ *Batch) { tr.net.Weight(1).Data[3] = nan }, "parameter "},
		{"overflow", func(_ *replay, tr *Trainer, _ *Batch) {
			layer := tr.net.Plan.Layers[1].Node
			for _, p := range tr.params {
				if p.Name == quantize.WeightName(layer) || strings.HasPrefix(p.Name, "step.w."+layer+".") {
					for i := range p.Data {
						p.Data[i] = 3e38
					}
				}
			}
		}, "the output of node "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, tr := newRun(t, 2)
			path := filepath.Join(t.TempDir(), "checkpoint")
			if err := tr.Save(path); err != nil {
				t.Fatal(err)
			}
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b := r.batch(0)
			b.X = append([]float32(nil), b.X...)
			tc.damage(r, tr, &b)
			_, err = tr.Step(t.Context(), b, tr.Paths(0))
			var d *DivergedError
			if !errors.As(err, &d) || d.Step != 0 || !strings.HasPrefix(d.At, tc.at) {
				t.Fatalf("error is %v, want one at %s", err, tc.at)
			}
			t.Log(err)
			if tc.name == "weight" {
				if err := tr.Save(path); !errors.As(err, new(*DivergedError)) {
					t.Errorf("saving NaN: %v", err)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(good, after) {
				t.Errorf("the checkpoint changed: %v", err)
			}
			if step, err := CheckpointStep(path); err != nil || step != 0 {
				t.Errorf("step %d, %v", step, err)
			}
		})
	}
}
