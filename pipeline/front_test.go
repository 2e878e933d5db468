package pipeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/quantize"
)

// oneLayer is a plan with one choice of weights and one of activations.
func oneLayer(w, a []int) *quantize.Plan {
	return &quantize.Plan{
		Layers: []quantize.Layer{{Node: "a", Candidates: w, MACs: 1, Params: 1}},
		Points: []quantize.Point{{Tensor: "x", Candidates: a, Layers: []int{0}, Elements: 1}},
	}
}

// TestFrontTargets: BitOPs rise to those of the widest policy, and weights alone come behind.
func TestFrontTargets(t *testing.T) {
	for _, tc := range []struct {
		w, a  []int
		bits  []float64
		alone int
	}{
		{[]int{2, 4}, []int{2, 4}, []float64{2.5, 3, 3.5, 4}, 2},
		{[]int{2, 4, 8}, []int{2, 4, 8}, []float64{2.5, 3, 3.5, 4, 5, 6, 7, 8}, 3},
		{[]int{4}, []int{4}, nil, 0},
	} {
		var bits []float64
		alone := 0
		for _, target := range frontTargets(oneLayer(tc.w, tc.a)) {
			if l := target.Limits[0]; l.Kind == quantize.LimitBit {
				bits = append(bits, l.Value)
			} else {
				alone++
			}
		}
		if d := cmp.Diff(tc.bits, bits); d != "" || alone != tc.alone {
			t.Errorf("%v and %v: %d targets of weights alone, %s", tc.w, tc.a, alone, d)
		}
	}
}

// TestWorthwhile: what loses more than the limit is left out, but never the widest policy, named or not; each comes once, from narrow to
// wide.
func TestWorthwhile(t *testing.T) {
	plan := oneLayer([]int{2, 4, 8}, []int{2, 4, 8})
	s := &search.Sensitivity{
		Base: search.Score{Loss: 0.5},
		W:    []search.Costs{{2: 2.5, 4: 1.5, 8: 0.5}}, A: []search.Costs{{2: 4.5, 4: 1.5, 8: 0.5}},
	}
	all := []quantize.Policy{plan.Uniform(2), {W: []int{2}, A: []int{4}}, plan.Uniform(4), plan.Uniform(8)}
	given := []quantize.Policy{all[2], all[0], all[1], all[2]}
	for _, tc := range []struct {
		limit float64
		kept  []quantize.Policy
	}{{10, all}, {3.6, all[1:]}, {3, all[2:]}, {0.1, all[3:]}} {
		got, err := worthwhile(plan, s, tc.limit, given)
		if d := cmp.Diff(tc.kept, got); err != nil || d != "" {
			t.Errorf("limit %g: %v, %s", tc.limit, err, d)
		}
	}
}

// TestGuess: a network that says the mean of everything is as far from the widest policy as its outputs spread.
func TestGuess(t *testing.T) {
	e := &evaluator{n: 2, outs: metric.Outputs{{Kind: quantize.Values, From: 0, To: 1}}, widest: []float32{1, 3}, spread: [][]float64{{1}}}
	if got := e.guess(); got != 1 {
		t.Errorf("%g for values one away from their mean, of variance 1", got)
	}
	e = &evaluator{n: 2, outs: metric.Outputs{{Kind: quantize.Scores, From: 0, To: 2}}, widest: []float32{0, 9, 9, 0}, spread: [][]float64{nil}}
	even := e.guess()
	e.widest = []float32{0, 1, 1, 0}
	if unsure := e.guess(); even <= unsure || unsure <= 0 {
		t.Errorf("%g for sure scores, %g for unsure ones", even, unsure)
	}
}
