package job

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline/doctor"
)

// TestExporters takes what PyTorch's exporters write for detection networks, transformers and others (see
// onnx/pass/testdata/exporters) through doctor and a whole post-training run without labels.
func TestExporters(t *testing.T) {
	if testing.Short() {
		t.Skip("several whole runs")
	}
	dir := filepath.Join(program.Module(t), "onnx", "pass", "testdata", "exporters")
	data := sample.Colours(t, 16, 40)
	for _, name := range []string{"mobile-21-fixed", "detector-18-fixed", "darknet-21", "transformer-18", "einsum-17-script", "groups-21", "channels-last-15", "functions-18"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			model := filepath.Join(dir, name+".onnx")
			if name == "functions-18" {
				model = filepath.Join(dir, "../functions", name+".onnx")
			}
			if d, _ := program.Answer[doctor.Result](t, "doctor", model); d.Stops() {
				t.Fatalf("doctor: %+v", d.Problems)
			}
			layout := "NCHW"
			if strings.HasPrefix(name, "channels-last") {
				layout = "NHWC"
			}
			r, _ := program.Result(t, append([]string{
				"compress", model, "--layout", layout, "--data", data, "--mean", "0.5", "--std", "0.25", "--no-labels",
				"--target", "5.0bit", "--bits", "3,8", "--profile", "ort,openvino",
			}, program.Least...)...)
			for _, f := range r.Results[0].Files {
				if !f.Verified || f.CodesCompared == 0 || f.MaxCodeDiff > 1 || f.CodesDifferent*1000 > f.CodesCompared {
					t.Errorf("file %+v", f)
				}
			}
		})
	}
}
