package pipeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
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
