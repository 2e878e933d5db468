//go:build cgo

package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
)

// TestControl: at 8 bits the norms that a few samples give are much nearer to the float model with control than
// without.
func TestControl(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	o := Options{
		Workspace:       filepath.Join(t.TempDir(), exampleWorkspace),
		WidthOptions:    options.WidthOptions{WeightBits: []int{4, 8}, ActivationBits: []int{8}},
		TrainingOptions: options.TrainingOptions{Epochs: new(0.0)},
		SearchOptions:   options.SearchOptions{Targets: []string{"8.0bit"}, ScoreOptions: options.ScoreOptions{SearchSamples: 32}},
		NormOptions:     options.NormOptions{NormSamples: 32},
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s, c, err := openReadOnly(Options{Workspace: o.Workspace})
	if err != nil {
		t.Fatal(err)
	}
	defer s.leave(nil)
	sup, splits, err := openAll(t.Context(), s.env, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = splits.Close() }()
	base, err := evaluation.Float(t.Context(), s.env, sup.Network, splits)
	if err != nil {
		t.Fatal(err)
	}
	p := sup.Plan.Uniform(8)
	const trained = true // without control
	own, err := sup.Norms.Norms(t.Context(), sup.Arrays, p, c.NormSamples, trained)
	if err != nil {
		t.Fatal(err)
	}
	candidate := evaluation.Candidate{Policy: p, Profile: export.Named(c.Profiles[0])}
	m, err := evaluation.RunPolicy(t.Context(), s.env, sup, splits, base, candidate, sup.Arrays.Over(own), s.env.Start(event.StageEval, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	with := r.Results[0].Metric
	if 1-with.Agreement > (1-m.Metric.Agreement)/2 {
		t.Errorf("agreement %.4f with control, %.4f without", with.Agreement, m.Metric.Agreement)
	}
	t.Logf("agreement %.4f with control, %.4f without; loss %.4f and %.4f", with.Agreement, m.Metric.Agreement, with.Loss, m.Metric.Loss)
}
