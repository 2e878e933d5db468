package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// TestOutputsFollowProfiles: results of convolutions are quantized where a profile of a workspace wants that. A trained
// supernet keeps what it was trained with, which for older programs is nothing.
func TestOutputsFollowProfiles(t *testing.T) {
	darknet, err := filepath.Abs("../onnx/pass/testdata/exporters/darknet-21.onnx")
	if err != nil {
		t.Fatal(err)
	}
	model := testkit.Shared(t, "models/resnet20-cifar10.onnx")
	t.Chdir(t.TempDir())
	run := func(o Options) (tensors int, stamp string) {
		t.Helper()
		o.Model, o.Workspace = model, "w.mpqc"
		r, err := Import(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		w, err := workspace.Open("w.mpqc")
		if err != nil {
			t.Fatal(err)
		}
		return len(r.Groups), w.Manifest.Stages[string(event.StageImport)].Fingerprint
	}
	_, first := run(Options{ExportOptions: options.ExportOptions{Profiles: []string{"openvino"}}})
	if _, stamp := run(Options{ExportOptions: options.ExportOptions{Profiles: []string{"ort"}}}); stamp != first {
		t.Error("a network without such activations is imported anew")
	}
	model = darknet
	plain, first := run(Options{ExportOptions: options.ExportOptions{Profiles: []string{"openvino"}}})
	marked, stamp := run(Options{ExportOptions: options.ExportOptions{Profiles: []string{"ort", "openvino"}}})
	if marked < plain+3 || stamp == first {
		t.Errorf("%d quantized tensors, %d without ort; fingerprint %s, before %s", marked, plain, stamp, first)
	}
	if n, again := run(Options{}); n != marked || again != stamp {
		t.Errorf("a second import finds %d tensors, %s", n, again)
	}
	w, err := workspace.Open("w.mpqc")
	if err != nil {
		t.Fatal(err)
	}
	w.Manifest.Options.ConvOutputs = false // as an older program leaves it
	w.Manifest.Stages[string(event.StageTrain)] = workspace.StageState{Done: true}
	if err := w.Write(stage.SupernetFile, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Save(); err != nil {
		t.Fatal(err)
	}
	if n, stamp := run(Options{}); n != plain || stamp != first {
		t.Errorf("with a supernet of an older program: %d tensors, %d wanted; %s", n, plain, stamp)
	}
	if n, _ := run(Options{Retrain: true}); n != marked {
		t.Errorf("a new training has %d tensors, %d wanted", n, marked)
	}
}
