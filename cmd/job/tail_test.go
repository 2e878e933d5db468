package job

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
)

// brief are the flags of a short post-training run.
func brief(model, data string, more ...string) []string {
	return slices.Concat([]string{"compress", model, "--data", data, "--bits", "4,8", "--target", "5.0bit"}, program.Least, more)
}

// compared is the result of a compress whose files must all be verified code by code.
func compared(t *testing.T, args []string) pipeline.Result {
	t.Helper()
	r, _ := program.Result(t, args...)
	for _, f := range r.Results[0].Files {
		if !f.Verified || f.CodesCompared == 0 {
			t.Errorf("file %+v", f)
		}
	}
	return r
}

// TestArgMaxTail compresses a classifier that ends in Softmax and ArgMax: training and metrics work on the logits,
// files of all profiles end as the model does, and what stands there is compared.
func TestArgMaxTail(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	t.Chdir(t.TempDir())
	data := sample.SmallData(t, t.TempDir(), 64, 32)
	sample.ModelFile(t, "model.onnx", func(m *onnx.Model) {
		sample.Follow(t, m, tensor.Int64,
			onnx.NodeSpec{Name: "softmax", Op: "Softmax", Outputs: []string{"probabilities"}},
			onnx.NodeSpec{Name: "argmax", Op: "ArgMax", Outputs: []string{"class"}, Attrs: []onnx.Attr{onnx.IntAttr("axis", 1), onnx.IntAttr("keepdims", 0)}})
	})
	code, stdout, stderr := program.Call(t, "doctor", "model.onnx")
	program.NeedRuntime(t, code, stderr)
	if code != exit.Done || !strings.Contains(stdout, "behind the last layer") {
		t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
	}
	r := compared(t, brief("model.onnx", data, "--profile", "ort,qonnx"))
	if r.Float.Top1 == nil || *r.Float.Top1 < 0.5 {
		t.Errorf("accuracy of the logits: %v", r.Float.Top1)
	}
	for _, f := range r.Results[0].Files {
		if out := sample.LoadModel(t, f.Path).Graph.Outputs(); len(out) != 1 || out[0].Name() != "class" || out[0].DType() != tensor.Int64 {
			t.Errorf("%s ends in %v", f.Path, out)
		}
		if len(f.Tail) != 2 || f.TailUnrun != "" {
			t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
		}
	}
	file := r.Results[0].Files[0].Path
	if code, stdout, stderr = program.Call(t, "eval", file, "--json"); code != exit.Done || !strings.Contains(stdout, `"top1": 0.`) {
		t.Errorf("eval: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = program.Call(t, "eval", file, "--against", "model.onnx", "--json"); code != exit.Done || !strings.Contains(stdout, `"agreement"`) {
		t.Errorf("eval: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr = program.Call(t, "verify", file); code != exit.Done {
		t.Errorf("verify: exit code %d: %s", code, stderr)
	}
	damage(t, file, func(m *onnx.Model) { m.Graph.Node("argmax").SetAttr(onnx.IntAttr("axis", 0)) })
	if code, _, stderr = program.Call(t, "verify", file); code != exit.Mismatch || !strings.Contains(stderr, `"argmax"`) {
		t.Errorf("damaged: exit code %d: %s", code, stderr)
	}
}

// damage changes an exported file in place.
func damage(t *testing.T, path string, change func(m *onnx.Model)) {
	t.Helper()
	m := sample.LoadModel(t, path)
	change(m)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
}

// TestCustomTail compresses a model that ends in an operator that nobody here knows: it is no problem of doctor, the
// files hold it, and the result says that it was not run.
func TestCustomTail(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	t.Chdir(t.TempDir())
	data := sample.SmallData(t, t.TempDir(), 64, 32)
	sample.ModelFile(t, "model.onnx", func(m *onnx.Model) {
		sample.Follow(t, m, tensor.Float32, onnx.NodeSpec{Name: "odd", Op: "Frobnicate", Domain: "com.acme", Outputs: []string{"odd_out"}})
	})
	code, stdout, stderr := program.Call(t, "doctor", "model.onnx", "--json")
	program.NeedRuntime(t, code, stderr)
	if code != exit.Done || strings.Contains(stdout, "onnxruntime refuses") {
		t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
	}
	f := compared(t, brief("model.onnx", data)).Results[0].Files[0]
	if len(f.Tail) != 1 || !strings.Contains(f.TailUnrun, "Frobnicate") {
		t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
	}
	if m := sample.LoadModel(t, f.Path); m.Graph.Node("odd") == nil || m.Opset("com.acme") != 1 {
		t.Errorf("%s does not hold the operator", f.Path)
	}
	float, _ := program.Result(t, "compress", "model.onnx", "--workspace", "float.mpqc", "--data", data, "--epochs", "0", "--bits", "float", "--calibrate-samples", "16")
	if sample.LoadModel(t, "float.mpqc/out/model-float.onnx").Graph.Node("odd") == nil {
		t.Error("the float file does not hold the operator")
	}
	if f := float.Results[0].Files[0]; len(f.Tail) != 1 || f.TailUnrun == "" {
		t.Errorf("float: file %+v", f)
	}
	// The runtime does not know the operator: only the part in front of it can be measured.
	if code, _, stderr = program.Call(t, "eval", "float.mpqc/out/model-float.onnx"); code != exit.Done {
		t.Errorf("eval of the float file: exit code %d: %s", code, stderr)
	}
	damage(t, f.Path, func(m *onnx.Model) { m.Graph.Node("odd").SetAttr(onnx.IntAttr("more", 1)) })
	if code, _, stderr = program.Call(t, "verify", f.Path); code != exit.Mismatch || !strings.Contains(stderr, `"odd"`) {
		t.Errorf("damaged: exit code %d: %s", code, stderr)
	}
}

// TestBlocked compresses what stands in front of an operator that the engine lacks, with the flag that the error names.
func TestBlocked(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	for _, c := range []struct{ op, domain string }{{"Selu", ""}, {"Frobnicate", "com.acme"}} {
		t.Run(c.op, func(t *testing.T) {
			t.Chdir(t.TempDir())
			data := sample.SmallData(t, t.TempDir(), 64, 32)
			sample.ModelFile(t, "model.onnx", func(m *onnx.Model) {
				nodes := m.Graph.Nodes()
				sample.Insert(t, m, nodes[len(nodes)-3], c.op, c.domain)
			})
			flag := regexp.MustCompile(`--exclude '([^']+)'`)
			var fixes []string
			for _, args := range [][]string{{"doctor", "model.onnx"}, brief("model.onnx", data)} {
				code, stdout, stderr := program.Call(t, args...)
				program.NeedRuntime(t, code, stderr)
				found := flag.FindStringSubmatch(stdout + stderr)
				if code != exit.Failed || found == nil || !strings.Contains(stdout+stderr, "odd") || !strings.Contains(stdout+stderr, "can still be compressed") {
					t.Fatalf("%v: exit code %d: %s%s", args, code, stdout, stderr)
				}
				if strings.Contains(stdout+stderr, "opset that this onnxruntime knows") {
					t.Errorf("a second, misleading finding: %s", stdout)
				}
				fixes = append(fixes, found[1])
			}
			if fixes[0] != fixes[1] {
				t.Errorf("doctor says %q, compress %q", fixes[0], fixes[1])
			}
			if code, stdout, stderr := program.Call(t, "doctor", "model.onnx", "--exclude", fixes[0]); code != exit.Done {
				t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
			}
			f := compared(t, brief("model.onnx", data, "--exclude", fixes[0])).Results[0].Files[0]
			if len(f.Tail) < 2 || (f.TailUnrun == "") != (c.domain == "") {
				t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
			}
			if c.domain != "" {
				return
			}
			// The layers of the tail take part in what eval measures.
			if r, _ := program.Answer[pipeline.EvalResult](t, "eval", f.Path, "--against", "model.onnx"); r.Agreement == nil || *r.Agreement < 0.5 {
				t.Errorf("eval: %+v", r)
			}
		})
	}
}

// TestDetector compresses a network exported for one sample whose boxes and scores go into NonMaxSuppression.
func TestDetector(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	data := sample.Colours(t, 16, 40)
	t.Chdir(t.TempDir())
	sample.Detector(t, "model.onnx")
	r := compared(t, brief("model.onnx", data, "--no-labels", "--mean", "0.5", "--std", "0.25", "--profile", "ort,qnn"))
	for _, f := range r.Results[0].Files {
		if f.TailUnrun != "" || len(f.Tail) == 0 || !strings.Contains(strings.Join(f.Tail, " "), "nms") {
			t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
		}
	}
	if files, err := filepath.Glob("model.mpqc/out/*.onnx"); err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}
