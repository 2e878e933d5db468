//go:build cgo

package pipeline

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/cpumask"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/delivery"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/quantize"
)

// TestSaturation verifies a file of profile openvino whose pairs of weights nobody has bounded, and one that is as mpqc
// writes it. Arithmetic finds the first one on any CPU; on one without VNNI the whole file is off, too. The second is
// right on both.
func TestSaturation(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	inside := cpumask.Again(t, ort.Library())
	dir := t.TempDir()
	o := Options{
		Workspace:       filepath.Join(dir, "w.mpqc"),
		ModelOptions:    options.ModelOptions{Model: exampleFile(t, dir, "net.onnx", func(*onnx.Model) {})},
		DataOptions:     options.DataOptions{Data: sample.SmallData(t, dir, 128, 200)},
		TrainingOptions: options.TrainingOptions{Epochs: new(0.0)},
		RoundingOptions: options.RoundingOptions{Rounding: "nearest"},
		SearchOptions:   options.SearchOptions{Targets: []string{"8.0bit"}},
		ExportOptions:   options.ExportOptions{Profiles: []string{export.ProfileOpenVINO}},
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	file := r.Results[0].Files[0]
	if !file.Verified || len(file.Limited) == 0 || file.Top1 == nil || file.ComputedBy == "" {
		t.Fatalf("%+v", file)
	}
	s, c, err := openReadOnly(o)
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
	all8 := sup.Plan.Max()
	bounded, _, err := export.Named(export.ProfileOpenVINO).Supernet(sup.Plan, sup.Arrays, all8)
	if err != nil {
		t.Fatal(err)
	}
	for name, arrays := range map[string]*quantize.Supernet{"bounded": bounded, "free": sup.Arrays} {
		m, err := export.Export(sup.Model, sup.Plan, arrays, all8, export.Options{Profile: export.ProfileOpenVINO})
		if err != nil {
			t.Fatal(err)
		}
		f := &File{Profile: export.ProfileOpenVINO, Path: filepath.Join(dir, name+".onnx")}
		if err := m.Save(f.Path); err != nil {
			t.Fatal(err)
		}
		_, err = delivery.Verify(t.Context(), s.env, sup, delivery.Sample{Samples: splits, Float: base}, f, arrays, all8, c.VerifyOptions)
		var wrong *MismatchError
		switch {
		case name == "bounded":
			if err != nil || !f.Verified {
				t.Errorf("bounded: %v", err)
			}
		case !errors.As(err, &wrong) || len(wrong.Saturating) == 0 || f.Verified:
			t.Errorf("free: %v, saturating layers must be named", err)
		case inside && wrong.Whole == "":
			t.Errorf("free, without VNNI: %v; outputs %v, %d flips", err, f.Outputs, f.Flips)
		case wrong.Different > 0 && !inside:
			t.Logf("free: %v", err)
		}
	}
}
