//go:build cgo

package pipeline

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/pipeline/options"
)

// TestAgreementBesideStatic measures what onnxruntime's own static quantization makes of a network on the samples that
// mpqc's results without labels are measured on: ranges from the training samples that mpqc calibrates with, agreement
// with the float model on the half held out.
func TestAgreementBesideStatic(t *testing.T) {
	interpreter := testkit.Python(t)
	if testing.Short() {
		t.Skip("runs for a minute")
	}
	o := Options{
		ModelOptions: options.ModelOptions{Model: testkit.Shared(t, "models/efficientnet-lite0-imagenet.onnx")},
		DataOptions:  options.DataOptions{Data: testkit.Shared(t, "data/imagenet-sample-1k.zip"), NoLabels: new(true), Holdout: new(0.5)},
	}.WithDefaults()
	samples, shape := calibrationSamples(t, o)
	float := o.Model
	for _, form := range []string{"per-channel", "per-tensor"} {
		o.Model = filepath.Join(t.TempDir(), "static.onnx")
		args := []string{"../export/testdata/static.py", float, o.Model, samples, shape, "--" + form}
		if out, err := exec.CommandContext(t.Context(), interpreter, args...).CombinedOutput(); err != nil {
			t.Fatalf("static.py %s: %v\n%s", form, err, out)
		}
		r, err := Eval(t.Context(), o, EvalOptions{Against: float, Split: "test"})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(o.Model)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("static: %s: %.4f agreement, %d bytes", form, *r.Agreement, info.Size())
		if *r.Agreement < 0.5 {
			t.Errorf("%s: agreement %.4f: the samples are not those that the ranges are of", form, *r.Agreement)
		}
	}
}

// calibrationSamples writes the inputs that calibration draws from the training samples into a file, and says their
// shape.
func calibrationSamples(t *testing.T, o Options) (path, shape string) {
	t.Helper()
	o.Workspace = filepath.Join(t.TempDir(), "a.mpqc")
	s, c, err := openLocked(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.leave(nil)
	_, splits, err := inputs(t.Context(), s.env, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = splits.Close() }()
	n := c.CalibrateSamples
	x := make([]float32, n*splits.Elements)
	if err := splits.Train.Batch(t.Context(), splits.Some(n, "calibrate", s.env.Seed), x, make([]int32, n)); err != nil {
		t.Fatal(err)
	}
	return rawInputs(t, x, splits.BatchShape(n))
}

// rawInputs writes inputs into a file, and says their shape as the scripts of export/testdata read it.
func rawInputs(t *testing.T, x []float32, s tensor.Shape) (path, shape string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "samples")
	raw, err := binary.Append(nil, binary.LittleEndian, x)
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, strings.ReplaceAll(s.String(), "x", ",")
}
