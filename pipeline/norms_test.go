//go:build cgo

package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/pipeline/event"
)

// TestControl: at 8 bits the norms that a few pictures give are much nearer to the float model with control than without.
func TestControl(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	o := Options{
		Workspace: filepath.Join(t.TempDir(), exampleWorkspace), Targets: []string{"8.0bit"}, Epochs: new(0.0),
		WeightBits: []int{4, 8}, ActivationBits: []int{8}, NormSamples: 32, SearchSamples: 32,
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	j, err := openJob(Options{Workspace: o.Workspace})
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.openSupernet(); err != nil {
		t.Fatal(err)
	}
	p := j.plan.Uniform(8)
	const trained = true // without control
	e, err := j.estimator()
	if err != nil {
		t.Fatal(err)
	}
	own, err := e.Norms(t.Context(), j.supernet, p, j.o.NormSamples, trained)
	if err != nil {
		t.Fatal(err)
	}
	m, err := j.runPolicy(t.Context(), p, j.supernet.Over(own), j.o.Events.Start(event.StageEval, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	with := r.Results[0].Metric
	if 1-with.Agreement > (1-m.Metric.Agreement)/2 {
		t.Errorf("agreement %.4f with control, %.4f without", with.Agreement, m.Metric.Agreement)
	}
	t.Logf("agreement %.4f with control, %.4f without; loss %.4f and %.4f", with.Agreement, m.Metric.Agreement, with.Loss, m.Metric.Loss)
}
