package selection

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/quantize"
)

// twoLayers is a plan with a choice in each of two layers that read one tensor each.
func twoLayers(w ...int) *quantize.Plan {
	return &quantize.Plan{
		Layers: []quantize.Layer{
			{Node: "a", Candidates: w, MACs: 100, Params: 10, Point: 0}, {Node: "b", Candidates: w, MACs: 100, Params: 10, Point: 1},
		},
		Points: []quantize.Point{
			{Tensor: "x", Candidates: w, Layers: []int{0}, Elements: 10}, {Tensor: "y", Candidates: w, Layers: []int{1}, Elements: 10},
		},
	}
}

// TestTargets: those that are stated, the default, and the only one that a plan leaves, on the plan that pins and caps
// leave.
func TestTargets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.policy")
	plan := twoLayers(2, 4, 8)
	if err := os.WriteFile(file, policy.Text("mine", plan, plan.Uniform(4)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		plan *quantize.Plan
		o    options.SearchOptions
		want string // targets, or a part of the error
		err  error
	}{
		{"default", plan, options.SearchOptions{}, "4.0bit", nil},
		{"stated", plan, options.SearchOptions{Targets: []string{"3.0bit", "w4.0a8"}}, "3.0bit w4.0a8", nil},
		{"one width", twoLayers(4), options.SearchOptions{}, "4.0bit", nil},
		{"pinned to one policy", plan, options.SearchOptions{Pins: []string{"*=8/8"}}, "8.0bit", nil},
		{"capped", plan, options.SearchOptions{Caps: []string{"*=4/4"}, Targets: []string{"8.0bit"}}, "8.0bit", quantize.ErrInfeasible},
		{"below", plan, options.SearchOptions{Targets: []string{"1.0bit"}}, "1.0bit", quantize.ErrInfeasible},
		{"no such node", plan, options.SearchOptions{Pins: []string{"c=8/8"}}, "pin c=8/8", options.ErrUsage},
		{"no such width", plan, options.SearchOptions{Caps: []string{"a=1/1"}}, "cap a=1/1", options.ErrUsage},
		{"no target", plan, options.SearchOptions{Targets: []string{"much"}}, "much", options.ErrUsage},
		{"stated policy", plan, options.SearchOptions{Policy: file}, "policy-mine", nil},
		{"stated policy that fits", plan, options.SearchOptions{Policy: file, Targets: []string{"4.0bit"}}, "4.0bit", nil},
		{"stated policy that is too wide", plan, options.SearchOptions{Policy: file, Targets: []string{"3.0bit"}}, "target 3.0bit allows", quantize.ErrInfeasible},
		{"stated policy of other activations", plan, options.SearchOptions{Policy: file, Targets: []string{"w4.0a8"}}, "8 bit of target w4.0a8", quantize.ErrInfeasible},
		{"no policy", plan, options.SearchOptions{Policy: "none.policy"}, "none.policy", options.ErrUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			targets, _, err := Targets(tt.plan, tt.o)
			if tt.err != nil {
				if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			var got []string
			for _, x := range targets {
				got = append(got, x.Text)
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("targets %q, %v", got, err)
			}
		})
	}
}

// TestRestricted: pins hold layers and caps bound them on the plan that comes back, and the plan that was given stays.
func TestRestricted(t *testing.T) {
	plan := twoLayers(2, 4, 8)
	_, got, err := Targets(plan, options.SearchOptions{Pins: []string{"a=8/8"}, Caps: []string{"b=4/4"}, Targets: []string{"6.0bit"}})
	if err != nil {
		t.Fatal(err)
	}
	if w, a := got.Bits(got.Min(), 0); w != 8 || a != 8 {
		t.Errorf("the pinned layer may have %d and %d bits", w, a)
	}
	if w, a := got.Bits(got.Max(), 1); w != 4 || a != 4 {
		t.Errorf("the capped layer may have %d and %d bits", w, a)
	}
	if w, _ := plan.Bits(plan.Max(), 1); w != 8 {
		t.Error("the plan that was given has changed")
	}
}

// TestBelow names the budgets that lie below the narrowest policy that training draws paths near.
func TestBelow(t *testing.T) {
	plan := twoLayers(2, 4, 8)
	targets, err := quantize.ParseTargets([]string{"2.0bit", "3.0bit", "8.0bit", "max-drop=1"})
	if err != nil {
		t.Fatal(err)
	}
	below, err := Below(targets, plan, plan.Uniform(4))
	if err != nil || len(below) != 2 || below[0].Text != "2.0bit" || below[1].Text != "3.0bit" {
		t.Errorf("%v, %v", below, err)
	}
}
