package search

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/quantize"
)

// oneLayer is a plan with one choice of weights and one of activations.
func oneLayer(w, a []int) *quantize.Plan {
	return &quantize.Plan{
		Layers: []quantize.Layer{{Node: "a", Candidates: w, MACs: 1, Params: 1}},
		Points: []quantize.Point{{Tensor: "x", Candidates: a, Layers: []int{0}, Elements: 1}},
	}
}

// TestGuideTargets: BitOPs rise to those of the widest policy, and weights alone come behind.
func TestGuideTargets(t *testing.T) {
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
		for _, target := range GuideTargets(oneLayer(tc.w, tc.a)) {
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

// TestWorthwhile: what loses more than the limit is left out, but never the widest policy, named or not; each comes
// once, from narrow to wide.
func TestWorthwhile(t *testing.T) {
	plan := oneLayer([]int{2, 4, 8}, []int{2, 4, 8})
	s := &Sensitivity{
		Base: Score{Loss: 0.5},
		W:    []Costs{{2: 2.5, 4: 1.5, 8: 0.5}}, A: []Costs{{2: 4.5, 4: 1.5, 8: 0.5}},
	}
	all := []quantize.Policy{plan.Uniform(2), {W: []int{2}, A: []int{4}}, plan.Uniform(4), plan.Uniform(8)}
	given := []quantize.Policy{all[2], all[0], all[1], all[2]}
	for _, tc := range []struct {
		limit float64
		kept  []quantize.Policy
	}{{10, all}, {3.6, all[1:]}, {3, all[2:]}, {0.1, all[3:]}} {
		got, err := Worthwhile(plan, s, tc.limit, given)
		if d := cmp.Diff(tc.kept, got); err != nil || d != "" {
			t.Errorf("limit %g: %v, %s", tc.limit, err, d)
		}
	}
}

// TestUniformBits: the baseline starts at a candidate, whatever other widths there are.
func TestUniformBits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		w, a   []int
		target string
		want   int
	}{
		{"the widest candidate is 7", []int{4, 7}, []int{4, 7}, "7.0bit", 7},
		{"between two", []int{4, 7}, []int{4, 7}, "5.0bit", 4},
		{"eight", []int{2, 4, 8}, []int{2, 4, 8}, "8.0bit", 8},
		{"weights alone", []int{2, 4, 8}, []int{2, 4, 8}, "w4.0a8", 4},
		{"no choice", []int{4}, []int{4}, "4.0bit", 0},
	} {
		plan := oneLayer(tc.w, tc.a)
		target, err := quantize.ParseTarget(tc.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := UniformBits(plan, target); got != tc.want {
			t.Errorf("%s: %d bits, want %d", tc.name, got, tc.want)
		}
	}
}
