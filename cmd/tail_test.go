package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
)

// follow puts nodes behind the first output of a model, one after the other; the last one's output takes its place.
func follow(t *testing.T, m *onnx.Model, dtype tensor.DType, specs ...onnx.NodeSpec) {
	t.Helper()
	old := m.Graph.Outputs()[0]
	x := old
	for _, s := range specs {
		if s.Domain != "" {
			m.SetOpset(s.Domain, 1)
		}
		s.Inputs = append([]*onnx.Value{x}, s.Inputs...)
		n, err := m.Graph.AddNode(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		x = n.Output(0)
	}
	x.SetType(dtype, nil)
	whole, err := m.Extract([]string{m.Graph.Inputs()[0].Name()}, []string{x.Name()})
	if err != nil {
		t.Fatal(err)
	}
	*m = *whole
}

// brief are the flags of a short post-training run.
func brief(model, data string, more ...string) []string {
	return append([]string{
		"compress", model, "--data", data, "--epochs", "0", "--calibrate-samples", "16", "--search-samples", "8", "--norm-samples", "16",
		"--bits", "4,8", "--target", "5.0bit", "--json",
	}, more...)
}

// succeed is a compress that must succeed.
func succeed(t *testing.T, args []string) *pipeline.Result {
	t.Helper()
	code, stdout, stderr := call(t, args...)
	needRuntime(t, code, stderr)
	var r pipeline.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitDone {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	for _, f := range r.Results[0].Files {
		if !f.Verified || f.CodesCompared == 0 {
			t.Errorf("file %+v", f)
		}
	}
	return &r
}

// TestArgMaxTail compresses a classifier that ends in Softmax and ArgMax: training and metrics work on the logits, files of
// all profiles end as the model does, and what stands there is compared.
func TestArgMaxTail(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	t.Chdir(t.TempDir())
	data := smallData(t, t.TempDir(), 64, 32)
	modelFile(t, "model.onnx", func(m *onnx.Model) {
		follow(t, m, tensor.Int64,
			onnx.NodeSpec{Name: "softmax", Op: "Softmax", Outputs: []string{"probabilities"}},
			onnx.NodeSpec{Name: "argmax", Op: "ArgMax", Outputs: []string{"class"}, Attrs: []onnx.Attr{onnx.IntAttr("axis", 1), onnx.IntAttr("keepdims", 0)}})
	})
	code, stdout, stderr := call(t, "doctor", "model.onnx")
	needRuntime(t, code, stderr)
	if code != exitDone || !strings.Contains(stdout, "behind the last layer") {
		t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
	}
	r := succeed(t, brief("model.onnx", data, "--profile", "ort,qonnx"))
	if r.Float.Top1 == nil || *r.Float.Top1 < 0.5 {
		t.Errorf("accuracy of the logits: %v", r.Float.Top1)
	}
	for _, f := range r.Results[0].Files {
		m, err := onnx.Load(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if out := m.Graph.Outputs(); len(out) != 1 || out[0].Name() != "class" || out[0].DType() != tensor.Int64 {
			t.Errorf("%s ends in %v", f.Path, out)
		}
		if len(f.Tail) != 2 || f.TailUnrun != "" {
			t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
		}
	}
	file := r.Results[0].Files[0].Path
	if code, stdout, stderr = call(t, "eval", file, "--json"); code != exitDone || !strings.Contains(stdout, `"top1": 0.`) {
		t.Errorf("eval: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = call(t, "eval", file, "--against", "model.onnx", "--json"); code != exitDone || !strings.Contains(stdout, `"agreement"`) {
		t.Errorf("eval: exit code %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr = call(t, "verify", file); code != exitDone {
		t.Errorf("verify: exit code %d: %s", code, stderr)
	}
	damage(t, file, func(m *onnx.Model) { m.Graph.Node("argmax").SetAttr(onnx.IntAttr("axis", 0)) })
	if code, _, stderr = call(t, "verify", file); code != exitMismatch || !strings.Contains(stderr, `"argmax"`) {
		t.Errorf("damaged: exit code %d: %s", code, stderr)
	}
}

// damage changes an exported file in place.
func damage(t *testing.T, path string, change func(m *onnx.Model)) {
	t.Helper()
	m, err := onnx.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	change(m)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
}

// TestCustomTail compresses a model that ends in an operator that nobody here knows: it is no problem of doctor, the files
// hold it, and the result says that it was not run.
func TestCustomTail(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	t.Chdir(t.TempDir())
	data := smallData(t, t.TempDir(), 64, 32)
	modelFile(t, "model.onnx", func(m *onnx.Model) {
		follow(t, m, tensor.Float32, onnx.NodeSpec{Name: "odd", Op: "Frobnicate", Domain: "com.acme", Outputs: []string{"odd_out"}})
	})
	code, stdout, stderr := call(t, "doctor", "model.onnx", "--json")
	needRuntime(t, code, stderr)
	if code != exitDone || strings.Contains(stdout, "onnxruntime refuses") {
		t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
	}
	f := succeed(t, brief("model.onnx", data)).Results[0].Files[0]
	if len(f.Tail) != 1 || !strings.Contains(f.TailUnrun, "Frobnicate") {
		t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
	}
	m, err := onnx.Load(f.Path)
	if err != nil || m.Graph.Node("odd") == nil || m.Opset("com.acme") != 1 {
		t.Errorf("%s does not hold the operator: %v", f.Path, err)
	}
	code, stdout, stderr = call(t, "compress", "model.onnx", "--workspace", "float.mpqc", "--data", data, "--epochs", "0", "--bits", "float", "--calibrate-samples", "16", "--json")
	if m, err = onnx.Load("float.mpqc/out/model-float.onnx"); code != exitDone || err != nil || m.Graph.Node("odd") == nil {
		t.Fatalf("float: exit code %d, %v: %s", code, err, stderr)
	}
	var float pipeline.Result
	if err := json.Unmarshal([]byte(stdout), &float); err != nil || len(float.Results[0].Files[0].Tail) != 1 || float.Results[0].Files[0].TailUnrun == "" {
		t.Errorf("float: %v, file %s", err, stdout)
	}
	// The runtime does not know the operator: only the part in front of it can be measured.
	if code, _, stderr = call(t, "eval", "float.mpqc/out/model-float.onnx"); code != exitDone {
		t.Errorf("eval of the float file: exit code %d: %s", code, stderr)
	}
	damage(t, f.Path, func(m *onnx.Model) { m.Graph.Node("odd").SetAttr(onnx.IntAttr("more", 1)) })
	if code, _, stderr = call(t, "verify", f.Path); code != exitMismatch || !strings.Contains(stderr, `"odd"`) {
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
			data := smallData(t, t.TempDir(), 64, 32)
			modelFile(t, "model.onnx", func(m *onnx.Model) {
				nodes := m.Graph.Nodes()
				at := nodes[len(nodes)-3]
				x := at.Inputs()[0]
				if c.domain != "" {
					m.SetOpset(c.domain, 1)
				}
				n, err := m.Graph.AddNode(onnx.NodeSpec{Name: "odd", Op: c.op, Domain: c.domain, Inputs: []*onnx.Value{x}, Outputs: []string{"odd_out"}}, at)
				if err != nil {
					t.Fatal(err)
				}
				at.SetInput(0, n.Outputs()[0])
			})
			flag := regexp.MustCompile(`--exclude '([^']+)'`)
			var fixes []string
			for _, args := range [][]string{{"doctor", "model.onnx"}, brief("model.onnx", data)} {
				code, stdout, stderr := call(t, args...)
				needRuntime(t, code, stderr)
				found := flag.FindStringSubmatch(stdout + stderr)
				if code != exitFailed || found == nil || !strings.Contains(stdout+stderr, "odd") || !strings.Contains(stdout+stderr, "can still be compressed") {
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
			if code, stdout, stderr := call(t, "doctor", "model.onnx", "--exclude", fixes[0]); code != exitDone {
				t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
			}
			f := succeed(t, brief("model.onnx", data, "--exclude", fixes[0])).Results[0].Files[0]
			if len(f.Tail) < 2 || (f.TailUnrun == "") != (c.domain == "") {
				t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
			}
			if c.domain != "" {
				return
			}
			// The layers of the tail take part in what eval measures.
			var r pipeline.EvalResult
			code, stdout, stderr := call(t, "eval", f.Path, "--against", "model.onnx", "--json")
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitDone || r.Agreement == nil || *r.Agreement < 0.5 {
				t.Errorf("eval: exit code %d, %v: %s%s", code, err, stdout, stderr)
			}
		})
	}
}

// TestDetector compresses a network exported for one picture whose boxes and scores go into NonMaxSuppression.
func TestDetector(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run")
	}
	data := colours(t, 16, 40)
	t.Chdir(t.TempDir())
	detector(t, "model.onnx")
	r := succeed(t, brief("model.onnx", data, "--no-labels", "--mean", "0.5", "--std", "0.25", "--profile", "ort,qnn"))
	for _, f := range r.Results[0].Files {
		if f.TailUnrun != "" || len(f.Tail) == 0 || !strings.Contains(strings.Join(f.Tail, " "), "nms") {
			t.Errorf("tail %v %q", f.Tail, f.TailUnrun)
		}
	}
	if files, err := filepath.Glob("model.mpqc/out/*.onnx"); err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}

func detector(t *testing.T, path string) {
	t.Helper()
	m := onnx.New(17)
	g := m.Graph
	x, err := g.AddInput("pictures", tensor.Float32, tensor.Shape{1, 3, 16, 16})
	if err != nil {
		t.Fatal(err)
	}
	constant := func(name string, c *tensor.Tensor) *onnx.Value {
		v, err := g.AddInitializer(name, c)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	node := func(name, op string, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
		n, err := g.AddNode(onnx.NodeSpec{Name: name, Op: op, Inputs: in, Outputs: []string{name + ":0"}, Attrs: attrs}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n.Output(0)
	}
	seed := uint32(1)
	conv := func(name string, x *onnx.Value, from, to, stride int) *onnx.Value {
		w := make([]float32, to*from*9)
		for i := range w {
			seed = seed*1664525 + 1013904223
			w[i] = float32(int32(seed)) / (1 << 32)
		}
		return node(name, "Conv", []*onnx.Value{x, constant(name+".w", tensor.From(tensor.Shape{to, from, 3, 3}, w))},
			onnx.IntsAttr("pads", []int64{1, 1, 1, 1}), onnx.IntsAttr("strides", []int64{int64(stride), int64(stride)}))
	}
	y := node("relu1", "Relu", []*onnx.Value{conv("conv1", x, 3, 8, 2)})
	y = node("relu2", "Relu", []*onnx.Value{conv("conv2", y, 8, 8, 1)})
	y = conv("head", y, 8, 6, 1)
	y = node("rows", "Reshape", []*onnx.Value{y, constant("rows.to", tensor.From(tensor.Shape{3}, []int64{1, 6, 64}))})
	ints := func(name string, v ...int64) *onnx.Value { return constant(name, tensor.From(tensor.Shape{len(v)}, v)) }
	part := func(name string, from, to int64) *onnx.Value {
		return node(name, "Slice", []*onnx.Value{y, ints(name+".from", from), ints(name+".to", to), ints(name+".axes", 1)})
	}
	boxes := node("boxes", "Transpose", []*onnx.Value{part("corners", 0, 4)}, onnx.IntsAttr("perm", []int64{0, 2, 1}))
	scores := node("scores", "Sigmoid", []*onnx.Value{part("classes", 4, 6)})
	picked := node("nms", "NonMaxSuppression", []*onnx.Value{boxes, scores, ints("most", 5)})
	picked.SetType(tensor.Int64, tensor.Shape{-1, 3})
	if err := g.AddOutput(picked); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}
