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
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/quantize"
)

// TestSaturation verifies a file of profile openvino whose pairs of weights nobody has bounded, and one that is as mpqc
// writes it. Arithmetic finds the first one on any CPU; on one without VNNI the whole file is off, too. The second is right on both.
func TestSaturation(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	inside := cpumask.Again(t, ort.Library())
	dir := t.TempDir()
	o := Options{
		Workspace: filepath.Join(dir, "w.mpqc"), Model: exampleFile(t, dir, "net.onnx", func(*onnx.Model) {}), Data: sample.SmallData(t, dir, 128, 200),
		Epochs: new(0.0), Targets: []string{"8.0bit"}, Profiles: []string{export.ProfileOpenVINO}, Rounding: "nearest",
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	file := r.Results[0].Files[0]
	if !file.Verified || len(file.Limited) == 0 || file.Top1 == nil || file.ComputedBy == "" {
		t.Fatalf("%+v", file)
	}
	j, err := readJob(o)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.openAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	base, err := j.floatReference(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all8 := j.plan.Max()
	bounded, _, err := export.Named(export.ProfileOpenVINO).Supernet(j.plan, j.supernet, all8)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*quantize.Supernet{"bounded": bounded, "free": j.supernet} {
		m, err := export.Export(j.model, j.plan, s, all8, export.Options{Profile: export.ProfileOpenVINO})
		if err != nil {
			t.Fatal(err)
		}
		f := &File{Profile: export.ProfileOpenVINO, Path: filepath.Join(dir, name+".onnx")}
		if err := m.Save(f.Path); err != nil {
			t.Fatal(err)
		}
		_, err = j.verifyFile(t.Context(), f, s, all8, base)
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

// TestBeyond: what the whole file is off by is an error where it is much by itself and beside what quantization does.
func TestBeyond(t *testing.T) {
	scores := metric.Outputs{{Name: "y", Kind: quantize.Scores, From: 0, To: 10}}
	for _, tt := range []struct {
		name                   string
		snr, quantized, change float64
		flips, pictures        int
		ok                     bool
	}{
		{"equal", metric.MostSNR, 30, 0.01, 0, 1000, true},
		{"rounding", 42, 33, 0.007, 2, 1000, true},
		{"saturation at 8 bit", 14.1, 33, 0.007, 63, 1000, false},
		{"saturation at 8 bit, predictions alone", 42, 33, 0.007, 63, 1000, false},
		{"saturation at 4 bit", 13.4, 18, 0.035, 69, 1000, false},
		{"rounding of few codes", 20, 8, 0.2, 90, 1000, true},
		{"one picture of eight", 40, 30, 0, 1, 8, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &File{Flips: tt.flips, PicturesCompared: tt.pictures, Outputs: []Fidelity{{Name: "y", SNR: tt.snr}}}
			if text := beyond(f, scores, []Fidelity{{Name: "y", SNR: tt.quantized}}, tt.change); (text == "") != tt.ok {
				t.Errorf("%q", text)
			}
		})
	}
}
