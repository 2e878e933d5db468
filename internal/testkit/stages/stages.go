// Package stages runs the first stages of the pipeline on the embedded example, for tests of those behind.
package stages

import (
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// Options are quick ones: few widths, few samples, no training.
func Options() options.Options {
	var o options.Options
	o.Epochs = new(0.0)
	o.WeightBits, o.ActivationBits = []int{2, 4, 8}, []int{4, 8}
	o.CalibrateSamples, o.SearchSamples, o.NormSamples, o.VerifySamples = 32, 32, 32, 8
	return o.WithDefaults()
}

// Train is the number of training samples.
const Train = 900

// Env is the environment of a run of options in a new workspace. said hears warnings; nil: nobody does.
func Env(t *testing.T, o options.Options, said func(text string)) *stage.Env {
	t.Helper()
	pool := par.New(2)
	t.Cleanup(pool.Close)
	events := event.Sink(func(e event.Event) {
		if said != nil && e.Kind == event.Warning {
			said(e.Text)
		}
	})
	return &stage.Env{
		Workspace: workspace.New(filepath.Join(t.TempDir(), "w.mpqc")), Events: events, Pool: pool, Machine: o.MachineOptions, Seed: *o.Seed,
		Seconds: &record.Seconds{},
	}
}

// Supernet is the embedded example, edited, calibrated in an environment, and its samples.
func Supernet(t *testing.T, e *stage.Env, o options.Options, edit func(*onnx.Model)) (*supernet.Supernet, *samples.Samples) {
	t.Helper()
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	dir := t.TempDir()
	from := network.Source{Path: sample.ModelFile(t, filepath.Join(dir, "net.onnx"), edit)}
	o.Data = sample.SmallData(t, dir, Train, 40)
	net, err := network.Import(t.Context(), e, from, o.ModelOptions, o.WidthOptions)
	if err != nil {
		t.Fatal(err)
	}
	s, err := samples.Open(e, samples.Model{Model: net.Core, Kinds: net.Kinds}, o.ModelOptions, o.DataOptions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c, err := calibration.Run(t.Context(), e, net, s, o.CalibrationOptions, o.NormOptions)
	if err != nil {
		t.Fatal(err)
	}
	sup, err := training.Run(t.Context(), e, c, s, training.Options{TrainingOptions: o.TrainingOptions, RoundingOptions: o.RoundingOptions})
	if err != nil {
		t.Fatal(err)
	}
	return sup, s
}
