package job

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/doctor"
	"github.com/mpqc/mpqc/pipeline/report"
)

// TestOutputs trains networks with a regression in place of class scores or beside them for a few steps, and takes them
// through search, export and verification.
func TestOutputs(t *testing.T) {
	if testing.Short() {
		t.Skip("trains three networks")
	}
	for _, tc := range []struct {
		name   string
		values int
		scores bool
		args   []string
	}{
		{"a regression", 1, false, []string{"--no-labels"}},
		{"two outputs with labels", 2, true, []string{"--outputs", "value=values"}},
		{"two outputs without labels", 1, true, []string{"--no-labels"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			data := sample.SmallData(t, dir, 256, 64)
			t.Chdir(dir)
			sample.Headed(t, "net.onnx", tc.values, 10, tc.scores)
			all, _ := program.Result(t, append([]string{
				"compress", "net.onnx", "--data", data, "--target", "5.0bit", "--epochs", "1", "--batch", "32", "--bits", "3,4,8",
				"--calibrate-samples", "64", "--search-samples", "64", "--norm-samples", "128",
			}, tc.args...)...)
			r := all.Results[0]
			if f := r.Files[0]; !f.Verified || f.CodesCompared == 0 || f.CodesDifferent > 0 || f.Flips > 0 || f.MaxAbsDiff > 0 {
				t.Errorf("file %+v", f)
			}
			if r.Metric.Agreement < 0.4 || r.Metric.Agreement > 1 || r.Metric.Loss <= 0 {
				t.Errorf("metric %+v", r.Metric)
			}
			if labels := len(tc.args) == 2; labels != (r.Metric.Top1 != nil) {
				t.Errorf("top-1 %v", r.Metric.Top1)
			}
			h := program.Decode[report.History](t, sample.Read(t, filepath.Join("net.mpqc", "training.json")))
			if h.Steps != 8 || h.Curve[7].Widest <= 0 || h.Curve[7].Random <= 0 || h.Curve[7].Teacher <= 0 {
				t.Errorf("training %+v", h)
			}
			e, _ := program.Answer[pipeline.EvalResult](t, "eval", r.Files[0].Path, "--data", data, "--against", "net.onnx")
			if e.Agreement == nil || math.Abs(*e.Agreement-r.Metric.Agreement) > 1e-9 || *e.KL <= 0 {
				t.Errorf("eval %+v, compress %+v", e, r.Metric)
			}
		})
	}
}

// TestDoctorOutputs: kinds that are stated decide what doctor says about labels, and stand in the command it proposes.
func TestDoctorOutputs(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.Headed(t, "net.onnx", 2, 1, true)
	for _, tc := range []struct {
		args  []string
		wants bool // --no-labels
	}{{nil, false}, {[]string{"--outputs", "value=values"}, false}, {[]string{"--outputs", "values"}, true}} {
		d, _ := program.Answer[doctor.Result](t, append([]string{"doctor", "net.onnx"}, tc.args...)...)
		if len(d.Outputs) != 2 {
			t.Fatalf("outputs %+v", d.Outputs)
		}
		if strings.Contains(d.Next, "--no-labels") != tc.wants || !strings.Contains(d.Next, strings.Join(tc.args, " ")) {
			t.Errorf("%v: next is %q", tc.args, d.Next)
		}
	}
}

// TestOutputsRefused: what labels cannot mean, and outputs that the model lacks, are told before anything is done.
func TestOutputsRefused(t *testing.T) {
	dir := t.TempDir()
	data := sample.SmallData(t, dir, 64, 64)
	t.Chdir(dir)
	sample.Headed(t, "net.onnx", 1, 1, false)
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"--no-labels", nil},
		{`no output "boxes"`, []string{"--no-labels", "--outputs", "boxes=values"}},
		{`"maps" is not scores or values`, []string{"--no-labels", "--outputs", "maps"}},
	} {
		code, _, stderr := program.Call(t, append([]string{"compress", "net.onnx", "--data", data, "--target", "5.0bit", "--epochs", "0"}, tc.args...)...)
		program.NeedRuntime(t, code, stderr)
		if code != exit.Usage || !strings.Contains(stderr, tc.want) {
			t.Errorf("%v: exit code %d: %s", tc.args, code, stderr)
		}
	}
}
