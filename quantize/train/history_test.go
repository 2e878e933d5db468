package train

import (
	"math"
	"testing"
)

// TestHistory: marks are means over equal parts of the schedule, and events say what the scheduler ranked by.
func TestHistory(t *testing.T) {
	h := newHistory([]string{"a"}, 1000)
	for step := 1; step <= 1000; step++ {
		h.record(step, 0.5, []Losses{{Task: float64(step)}, {Task: 2, Teacher: 1}, {Task: 4, Teacher: 3, Dampening: 2}})
	}
	if len(h.Curve) != maxMarks {
		t.Fatalf("%d marks", len(h.Curve))
	}
	for i, m := range h.Curve {
		want := Mark{Step: 5 * (i + 1), Count: 5, Rate: 0.5, Widest: float64(5*i + 3), Random: 3, Teacher: 2, Dampening: 1}
		if math.Abs(m.Widest-want.Widest) > 1e-9 {
			t.Fatalf("mark %d: widest %g, want %g", i, m.Widest, want.Widest)
		}
		if m.Widest = want.Widest; m != want {
			t.Fatalf("mark %d is %+v, want %+v", i, m, want)
		}
	}
}

func TestHistoryOfRun(t *testing.T) {
	r, tr := newRun(t, 2)
	if err := tr.Run(t.Context(), &looped{replay: r}, RunOptions{}); err != nil {
		t.Fatal(err)
	}
	h := tr.History()
	if h.Steps != 30 || len(h.Curve) != 30 || len(h.Layers) != len(tr.net.Plan.Layers) {
		t.Fatalf("history of %d steps, %d marks, %d layers", h.Steps, len(h.Curve), len(h.Layers))
	}
	if len(h.Events) == 0 {
		t.Fatal("no events")
	}
	for _, e := range h.Events {
		var sum float64
		for _, v := range e.Turbulence {
			sum += v
		}
		if len(e.Turbulence) != len(h.Layers) || sum <= 0 || e.Step < 1 {
			t.Errorf("event %+v", e)
		}
	}
	_, turbulence := tr.rank()
	last := h.Events[len(h.Events)-1]
	if last.Step == tr.step && last.Turbulence[1] != turbulence[1] {
		t.Errorf("turbulence %g, the weights have %g", last.Turbulence[1], turbulence[1])
	}
	other := newHistory([]string{"b"}, 30)
	if err := other.restore(`{"steps": 30, "layers": ["a"]}`); err == nil {
		t.Error("the history of another network was taken")
	}
}
