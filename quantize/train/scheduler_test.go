package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/testkit"
)

// TestTraceScheduler compares turbulence and frozen layers with those of the independent implementation.
func TestTraceScheduler(t *testing.T) {
	r := newReplay(t)
	for step := range r.trace.Steps {
		if _, err := r.trainer.Step(t.Context(), r.batch(step), r.policies(step)); err != nil {
			t.Fatal(err)
		}
	}
	layers := r.net.Plan.Layers
	order, turbulence := r.trainer.rank()
	var names, frozen []string
	for _, i := range order {
		name := layerName(layers[i].Node)
		names = append(names, name)
		want := r.trace.Scheduler.PerLayer[name]
		testkit.Close(t, name+" turbulence", turbulence[i:i+1], []float64{want.Turbulence}, 1e-12)
		if len(want.Unstable) != len(layers[i].Candidates) {
			t.Errorf("%s: the trace has %d widths, the layer %d", name, len(want.Unstable), len(layers[i].Candidates))
		}
		for _, b := range layers[i].Candidates {
			testkit.Close(t, fmt.Sprintf("%s unstable at %d bit", name, b), []float64{r.trainer.unstable(i, b)}, []float64{want.Unstable[strconv.Itoa(b)]}, 1e-12)
		}
	}
	r.trainer.restrict(r.trace.Scheduler.Ratio)
	for _, i := range order {
		if len(r.trainer.Candidates()[i]) < len(layers[i].Candidates) {
			frozen = append(frozen, layerName(layers[i].Node))
		}
	}
	if d := cmp.Diff(r.trace.Scheduler.Order, names); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(r.trace.Scheduler.Frozen, frozen); d != "" {
		t.Error(d)
	}
	r.trainer.restrict(0)
	for i := range layers {
		if !slices.Equal(r.trainer.widths[i], layers[i].Candidates) {
			t.Errorf("layer %s did not get its widths back: %v", layers[i].Node, r.trainer.widths[i])
		}
	}
}

func TestEvents(t *testing.T) {
	list := events()
	if len(list) < 20 || list[0] != firstEvent || list[len(list)-1] >= 1 || !slices.IsSorted(list) {
		t.Errorf("events %v", list)
	}
	if ratio(0, 30) != startRatio || ratio(30, 30) != endRatio || math.Abs(ratio(15, 30)-(startRatio+endRatio)/2) > 1e-12 {
		t.Errorf("ratios %g, %g, %g", ratio(0, 30), ratio(15, 30), ratio(30, 30))
	}
}
