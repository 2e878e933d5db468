package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/quantize"
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

// TestSchedulerDecisions fills layers with one weight each, in steps of all widths, and names the layers that lose
// their lowest width.
func TestSchedulerDecisions(t *testing.T) {
	const (
		always   = (1./2 + 1./3 + 1./4 + 1./5 + 1./6 + 1./8) / 6
		notAtTwo = (1./3 + 1./4 + 1./5 + 1./6 + 1./8) / 6
		depth    = (1./3 + 1./4 + 1./5 + 1./6 + 1./8) / 5 // depthwise layers have no 2 bits
	)
	nodes := []string{"/c2", "/depthwise", "/c3"}
	for _, tc := range []struct {
		name       string
		weights    [3]float32 // of c2, depthwise and c3
		turbulence [3]float64
		ratio      float64
		want       string
	}{
		{"near a boundary at all widths", [3]float32{0.4, 0.3, 0.3}, [3]float64{always, 0, 0}, 0.5, "/c2"},
		{"three eighths are not beyond", [3]float32{0.375, 0.625, 0.4}, [3]float64{0, 0, always}, 0.5, "/c3"},
		{"beyond the highest level of 2 bits", [3]float32{1.45, 0.3, -1.6}, [3]float64{notAtTwo, 0, always}, 0.5, "/c3"},
		{"beyond the lowest level of 2 bits", [3]float32{-2.4, 0.3, 0.3}, [3]float64{notAtTwo, 0, 0}, 0.5, "/c2"},
		{"two of three", [3]float32{1.45, 0.3, -1.6}, [3]float64{notAtTwo, 0, always}, 0.7, "/c2 /c3"},
		{"a depthwise layer, down to 3 bits", [3]float32{1.45, 0.4, 0.3}, [3]float64{notAtTwo, depth, 0}, 0.5, "/depthwise"},
		{"equal ones in the order of the plan", [3]float32{0.4, 0.3, 0.4}, [3]float64{always, 0, always}, 0.5, "/c2"},
		{"all", [3]float32{0.4, 0.4, 0.4}, [3]float64{always, depth, always}, 1, "/c2 /depthwise /c3"},
		{"none", [3]float32{0.4, 0.4, 0.4}, [3]float64{always, depth, always}, 0.3, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, tr := trainer(t, nothing)
			plan := tr.net.Plan
			var restricted []int
			for k, node := range nodes {
				i := layerAt(t, plan, node)
				fill(tr.net.Weight(i).Data, tc.weights[k])
				for _, b := range plan.Layers[i].Candidates {
					fill(tr.net.WeightSteps(i).At(b).Data, 1)
				}
				if strings.Contains(tc.want, node) {
					restricted = append(restricted, i)
				}
			}
			tr.restrict(tc.ratio)
			e := tr.history.Events[0]
			for k, node := range nodes {
				if got := e.Turbulence[layerAt(t, plan, node)]; math.Abs(got-tc.turbulence[k]) > 1e-12 {
					t.Errorf("turbulence of %s is %g, want %g", node, got, tc.turbulence[k])
				}
			}
			if !slices.Equal(e.Restricted, restricted) {
				t.Errorf("layers %v are restricted, want %v", e.Restricted, restricted)
			}
			for i, widths := range tr.widths {
				want := plan.Layers[i].Candidates
				if slices.Contains(restricted, i) {
					want = want[1:]
				}
				if !slices.Equal(widths, want) {
					t.Errorf("widths of %s are %v, want %v", plan.Layers[i].Node, widths, want)
				}
			}
		})
	}
}

// TestSchedulerFloor: a lowest width above 2 bits, 3 of depthwise layers, is nothing to take away.
func TestSchedulerFloor(t *testing.T) {
	c := small(t, 1, "scores")
	for _, node := range []string{"/c2", "/depthwise", "/c3"} {
		l := &c.plan.Layers[layerAt(t, c.plan, node)]
		l.Candidates = []int{4, 8}
	}
	tr, err := New(c.network(t), Defaults(), par.New(1))
	if err != nil {
		t.Fatal(err)
	}
	tr.restrict(1)
	if e := tr.history.Events[0]; len(e.Restricted) > 0 {
		t.Errorf("layers %v lost 4 bits", e.Restricted)
	}
}

// layerAt is the index of the layer of a node.
func layerAt(t *testing.T, p *quantize.Plan, node string) int {
	t.Helper()
	i := slices.IndexFunc(p.Layers, func(l quantize.Layer) bool { return l.Node == node })
	if i < 0 {
		t.Fatalf("no layer %s", node)
	}
	return i
}
