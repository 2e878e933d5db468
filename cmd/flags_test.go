package cmd

import (
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/record"
)

func TestQuiet(t *testing.T) {
	program.Example(t)
	code, stdout, stderr := program.Call(t, "compress", "--target", "4.0bit", "--quiet")
	if code != exit.Done || stderr != "" || !strings.Contains(stdout, "4.0bit") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, stdout, stderr = program.Call(t, "compress", "--target", "4.0bit", "--json", "--verbose")
	if code != exit.Done || !strings.Contains(stderr, "export 4.0bit") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	program.DecodeResult(t, stdout)
	if code, stdout, _ = program.Call(t, "report", "--json"); code != exit.Done || !strings.Contains(stdout, `"path"`) {
		t.Errorf("report: exit code %d, %s", code, stdout)
	}
	if code, _, stderr = program.Call(t, "report", "--beside", "nowhere.mpqc"); code != exit.Usage || !strings.Contains(stderr, "nowhere.mpqc is no workspace") {
		t.Errorf("report beside nothing: exit code %d, %s", code, stderr)
	}
	if code, _, stderr = program.Call(t, "report", "--beside", "example.mpqc"); code != exit.Failed || !strings.Contains(stderr, "example.mpqc holds no training") {
		t.Errorf("report beside a network that was not trained: exit code %d, %s", code, stderr)
	}
}

func TestImportFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	model := sample.ModelFile(t, "model.onnx", nil)
	layers := func(args ...string) map[string]record.ImportLayer {
		r, _ := program.Answer[pipeline.ImportResult](t, append([]string{"import", "--workspace", "w.mpqc"}, args...)...)
		out := map[string]record.ImportLayer{}
		for _, l := range r.Layers {
			out[l.Node] = l
		}
		return out
	}
	if l := layers("--weight-bits", "3,5", "--activation-bits", "8", model)["pointwise"]; !slices.Equal(l.Candidates, []int{3, 5}) || !slices.Equal(l.ActivationCandidates, []int{8}) {
		t.Errorf("--weight-bits, --activation-bits: %+v", l)
	}
	if l := layers(model, "--bits", "2,4")["pointwise"]; !slices.Equal(l.Candidates, []int{2, 4}) || !slices.Equal(l.ActivationCandidates, []int{2, 4}) {
		t.Errorf("--bits: %+v", l)
	}
	got := layers(model, "--exclude", "depthwise,point*")
	for _, node := range []string{"depthwise", "pointwise"} {
		if got[node].FloatReason != "excluded by option" {
			t.Errorf("--exclude: %s is %+v", node, got[node])
		}
	}
	code, _, stderr := program.Call(t, "import", model, "--exclude", "conv99")
	if code == exit.Done || !strings.Contains(stderr, `"conv99"`) {
		t.Errorf("--exclude of nothing: exit code %d: %s", code, stderr)
	}
}

// TestPreprocessingFlags measures a model with and without metadata.
func TestPreprocessingFlags(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	data := sample.SmallData(t, dir, 16, 200)
	own := sample.ModelFile(t, "own.onnx", nil)
	silent := sample.ModelFile(t, "silent.onnx", func(m *onnx.Model) { m.SetMetadata("org.mpqc.preprocessing", "") })
	top1 := func(args ...string) float64 {
		r, _ := program.Answer[pipeline.EvalResult](t, append([]string{"eval", "--data", data}, args...)...)
		if r.Top1 == nil {
			t.Fatalf("%v: %+v", args, r)
		}
		return *r.Top1
	}
	code, _, stderr := program.Call(t, "eval", silent, "--data", data)
	program.NeedRuntime(t, code, stderr)
	if code != exit.Usage || !strings.Contains(stderr, "--preset") || !strings.Contains(stderr, "--mean") {
		t.Errorf("no preprocessing: exit code %d: %s", code, stderr)
	}
	right := top1(own)
	if got := top1(silent, "--preset", "fashion-mnist"); got != right || right < 0.85 {
		t.Errorf("top-1 %v with the model's metadata, %v with the preset", right, got)
	}
	if got := top1(silent, "--mean", "0.2860", "--std", "0.3530"); got != right {
		t.Errorf("top-1 %v with the model's metadata, %v with mean and std", right, got)
	}
	// A part of the model's own: with the standard deviation kept, a wrong mean costs something, but not everything.
	if got := top1("--mean", "1.5", own); got >= right {
		t.Errorf("top-1 %v with a wrong mean, %v with the right one", got, right)
	}
	broken := sample.ModelFile(t, "broken.onnx", func(m *onnx.Model) { m.SetMetadata("org.mpqc.preprocessing", "{]") })
	code, _, stderr = program.Call(t, "eval", broken, "--data", data)
	if code != exit.Failed || !strings.Contains(stderr, "org.mpqc.preprocessing") || !strings.Contains(stderr, "--preset NAME") {
		t.Errorf("broken metadata: exit code %d: %s", code, stderr)
	}
	if got := top1(broken, "--preset", "fashion-mnist"); got != right {
		t.Errorf("top-1 %v with the model's metadata, %v with the preset in place of a broken one", right, got)
	}
	for _, args := range [][]string{{"--preset", "nothing"}, {"--mean", "a,b"}, {"--std", "0"}, {"--resize", "1x2x3"}, {"--layout", "CHWN"}} {
		if code, _, stderr := program.Call(t, append([]string{"eval", own, "--data", data}, args...)...); code != exit.Usage {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}

func TestProvider(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	model, data := sample.ModelFile(t, "model.onnx", nil), sample.SmallData(t, dir, 16, 16)
	for _, args := range [][]string{{"eval", model, "--data", data}, {"compress", model, "--data", data, "--epochs", "0", "--search-samples", "4", "--bits", "8"}} {
		code, _, stderr := program.Call(t, append(args, "--provider", "tensorrt")...)
		program.NeedRuntime(t, code, stderr)
		if code == exit.Done {
			t.Skip("this onnxruntime library has TensorRT")
		}
		if code != exit.Usage || !strings.Contains(stderr, "offers cpu") || !strings.Contains(stderr, "--onnxruntime") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		if code, _, stderr = program.Call(t, append(args, "--provider", "cpu")...); code != exit.Done {
			t.Errorf("cpu: exit code %d: %s", code, stderr)
		}
	}
}
