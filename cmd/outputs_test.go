package cmd

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/doctor"
)

// headed writes the embedded example with a regression of so many values on its features, of a given magnitude, beside its
// class scores or in their place.
func headed(t *testing.T, path string, values int, magnitude float64, scores bool) {
	t.Helper()
	data, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	last := m.Graph.Outputs()[0]
	head := last.Producer()
	if head.Op() != "Gemm" {
		t.Fatalf("the example ends in %s", head.Op())
	}
	features := head.Inputs()[1].Const().Shape[1]
	rng := rand.New(rand.NewPCG(1, 1))
	b := make([]float32, values)
	weights := make([]float32, values*features)
	for i := range weights {
		weights[i] = float32(magnitude * rng.NormFloat64())
	}
	for i := range b {
		b[i] = float32(magnitude * 10 * float64(i+1)) // not around 0
	}
	weight, err := m.Graph.AddInitializer("value.weight", tensor.From(tensor.Shape{values, features}, weights))
	if err != nil {
		t.Fatal(err)
	}
	bias, err := m.Graph.AddInitializer("value.bias", tensor.From(tensor.Shape{values}, b))
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.Graph.AddNode(onnx.NodeSpec{
		Name: "/value/Gemm", Op: "Gemm", Inputs: []*onnx.Value{head.Inputs()[0], weight, bias}, Outputs: []string{"value"},
		Attrs: []onnx.Attr{onnx.IntAttr("transB", 1)},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if scores {
		err = m.Graph.AddOutput(n.Output(0))
	} else if err = m.Graph.ReplaceOutput(last, n.Output(0)); err == nil {
		m.Graph.Prune()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
}

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
			data := smallData(t, dir, 256, 64)
			t.Chdir(dir)
			headed(t, "net.onnx", tc.values, 10, tc.scores)
			code, stdout, stderr := call(t, append([]string{
				"compress", "net.onnx", "--data", data, "--target", "5.0bit", "--epochs", "1", "--batch", "32", "--json", "--bits", "3,4,8",
				"--calibrate-samples", "64", "--search-samples", "64", "--norm-samples", "128",
			}, tc.args...)...)
			needRuntime(t, code, stderr)
			if code != exitDone {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			r := decodeResult(t, stdout).Results[0]
			if f := r.Files[0]; !f.Verified || f.CodesCompared == 0 || f.CodesDifferent > 0 || f.Flips > 0 || f.MaxAbsDiff > 0 {
				t.Errorf("file %+v", f)
			}
			if r.Metric.Agreement < 0.4 || r.Metric.Agreement > 1 || r.Metric.Loss <= 0 {
				t.Errorf("metric %+v", r.Metric)
			}
			if labels := len(tc.args) == 2; labels != (r.Metric.Top1 != nil) {
				t.Errorf("top-1 %v", r.Metric.Top1)
			}
			var h pipeline.History
			if err := json.Unmarshal(read(t, filepath.Join("net.mpqc", "training.json")), &h); err != nil {
				t.Fatal(err)
			}
			if h.Steps != 8 || h.Curve[7].Widest <= 0 || h.Curve[7].Random <= 0 || h.Curve[7].Teacher <= 0 {
				t.Errorf("training %+v", h)
			}
			code, stdout, stderr = call(t, "eval", r.Files[0].Path, "--data", data, "--against", "net.onnx", "--json")
			var e pipeline.EvalResult
			if err := json.Unmarshal([]byte(stdout), &e); err != nil || code != exitDone {
				t.Fatalf("eval: exit code %d, %v: %s", code, err, stderr)
			}
			if e.Agreement == nil || math.Abs(*e.Agreement-r.Metric.Agreement) > 1e-9 || *e.KL <= 0 {
				t.Errorf("eval %s, compress %+v", stdout, r.Metric)
			}
		})
	}
}

// TestDoctorOutputs: kinds that are stated decide what doctor says about labels, and stand in the command it proposes.
func TestDoctorOutputs(t *testing.T) {
	t.Chdir(t.TempDir())
	headed(t, "net.onnx", 2, 1, true)
	for _, tc := range []struct {
		args  []string
		wants bool // --no-labels
	}{{nil, false}, {[]string{"--outputs", "value=values"}, false}, {[]string{"--outputs", "values"}, true}} {
		code, stdout, stderr := call(t, append([]string{"doctor", "net.onnx", "--json"}, tc.args...)...)
		needRuntime(t, code, stderr)
		var d doctor.Result
		if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != exitDone || len(d.Outputs) != 2 {
			t.Fatalf("exit code %d, %v: %s", code, err, stderr)
		}
		if strings.Contains(d.Next, "--no-labels") != tc.wants || !strings.Contains(d.Next, strings.Join(tc.args, " ")) {
			t.Errorf("%v: next is %q", tc.args, d.Next)
		}
	}
}

// TestOutputsRefused: what labels cannot mean, and outputs that the model lacks, are told before anything is done.
func TestOutputsRefused(t *testing.T) {
	dir := t.TempDir()
	data := smallData(t, dir, 64, 64)
	t.Chdir(dir)
	headed(t, "net.onnx", 1, 1, false)
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"--no-labels", nil},
		{`no output "boxes"`, []string{"--no-labels", "--outputs", "boxes=values"}},
		{`"maps" is not scores or values`, []string{"--no-labels", "--outputs", "maps"}},
	} {
		code, _, stderr := call(t, append([]string{"compress", "net.onnx", "--data", data, "--target", "5.0bit", "--epochs", "0"}, tc.args...)...)
		needRuntime(t, code, stderr)
		if code != exitUsage || !strings.Contains(stderr, tc.want) {
			t.Errorf("%v: exit code %d: %s", tc.args, code, stderr)
		}
	}
}
