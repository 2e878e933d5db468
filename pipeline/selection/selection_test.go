//go:build cgo

package selection_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/testkit/stages"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/selection"
	"github.com/mpqc/mpqc/pipeline/selection/policy"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// TestRun searches for budgets, for a drop of accuracy, and takes a policy that is stated. What was found is taken from
// the workspace the second time, and searched anew with another option.
func TestRun(t *testing.T) {
	o := stages.Options()
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(*onnx.Model) {})
	scorers := evaluation.NewScorers(e, sup, s, export.Named(export.ProfileORT), o.ScoreOptions)
	defer scorers.Close()
	run := func(so selection.Options) *selection.Found {
		t.Helper()
		targets, plan, err := selection.Targets(sup.Plan, so.SearchOptions)
		if err != nil {
			t.Fatal(err)
		}
		so.Profile = export.Named(export.ProfileORT)
		found, err := selection.Run(t.Context(), e, sup, scorers, plan, targets[0], so)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, text := range []string{"4.0bit", "w3.0a8", "max-drop=60"} {
		so := selection.Options{SearchOptions: o.SearchOptions}
		so.Targets = []string{text}
		found := run(so)
		if !found.Target.Check(sup.Plan, found.Policy) || !found.Target.Check(sup.Plan, found.Uniform) {
			t.Errorf("%s: policy %v, baseline %v are beyond the target", text, found.Policy, found.Uniform)
		}
		var r record.Search
		if err := e.Workspace.ReadJSON(record.SearchFile(text), sup.Plan, &r); err != nil {
			t.Fatal(err)
		}
		if r.Verdict == nil && !found.Policy.Equal(found.Uniform) {
			t.Errorf("%s: no verdict on a policy that is not the baseline", text)
		}
		// A verdict that is not won leaves the baseline, unless that breaks the drop.
		if v := r.Verdict; v != nil && !v.Won() && !found.Target.HasMaxDrop && !found.Policy.Equal(found.Uniform) {
			t.Errorf("%s: the verdict %+v, and not the baseline", text, v)
		}
		before := e.Seconds.Search
		if again := run(so); !again.Policy.Equal(found.Policy) || e.Seconds.Search != before {
			t.Errorf("%s: it is searched for again", text)
		}
		so.Random = 2
		if again := run(so); !again.Policy.Equal(found.Policy) || e.Seconds.Search == before {
			t.Errorf("%s: random policies were not scored beside it", text)
		}
	}
	file := filepath.Join(t.TempDir(), "mine.policy")
	if err := os.WriteFile(file, policy.Text("4.0bit", sup.Plan, sup.Plan.Uniform(4)), 0o600); err != nil {
		t.Fatal(err)
	}
	so := selection.Options{SearchOptions: o.SearchOptions}
	so.Policy = file
	found := run(so)
	if !found.Policy.Equal(sup.Plan.Uniform(4)) || found.Target.Text != "policy-mine" || found.Evaluations != 2 {
		t.Errorf("%+v", found)
	}
	if found.UniformBits != search.UniformBits(sup.Plan, found.Target) {
		t.Errorf("a baseline of %d bits", found.UniformBits)
	}
}

// TestUnkeptDrop: a drop that even the widest policy exceeds is infeasible.
func TestUnkeptDrop(t *testing.T) {
	o := stages.Options()
	o.WeightBits, o.ActivationBits = []int{2}, []int{2, 3}
	e := stages.Env(t, o, nil)
	sup, s := stages.Supernet(t, e, o, func(*onnx.Model) {})
	scorers := evaluation.NewScorers(e, sup, s, export.Named(export.ProfileORT), o.ScoreOptions)
	defer scorers.Close()
	so := selection.Options{SearchOptions: o.SearchOptions, Profile: export.Named(export.ProfileORT)}
	so.Targets = []string{"max-drop=0"}
	targets, plan, err := selection.Targets(sup.Plan, so.SearchOptions)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := selection.Run(t.Context(), e, sup, scorers, plan, targets[0], so); !errors.Is(err, quantize.ErrInfeasible) {
		t.Errorf("error %v", err)
	}
}
