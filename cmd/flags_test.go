package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
)

// TestScoresAreKept runs the same command again: nothing is calibrated, trained, searched or measured, and the result
// is the same.
func TestScoresAreKept(t *testing.T) {
	first := decodeResult(t, example(t))
	code, stdout, stderr := call(t, "compress", "--target", "4.0bit", "--json")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	again := decodeResult(t, stdout)
	for _, stage := range []string{"calibrate", "train", "eval", "search", "verify"} {
		if strings.Contains(stderr, stage+" ") {
			t.Errorf("%s ran again: %s", stage, stderr)
		}
	}
	again.Seconds, first.Seconds = pipeline.Seconds{}, pipeline.Seconds{}
	a, errA := json.Marshal(first)
	b, errB := json.Marshal(again)
	if errA != nil || errB != nil || strings.ReplaceAll(string(a), shared.dir, "") != strings.ReplaceAll(string(b), shared.dir, "") {
		t.Errorf("results differ:\n%s\n%s", a, b)
	}
}

func TestQuiet(t *testing.T) {
	example(t)
	code, stdout, stderr := call(t, "compress", "--target", "4.0bit", "--quiet")
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "4.0bit") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, stdout, stderr = call(t, "compress", "--target", "4.0bit", "--json", "--verbose")
	if code != exitDone || !strings.Contains(stderr, "export 4.0bit") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	decodeResult(t, stdout)
	if code, stdout, _ = call(t, "report", "--json"); code != exitDone || !strings.Contains(stdout, `"path"`) {
		t.Errorf("report: exit code %d, %s", code, stdout)
	}
	if code, _, stderr = call(t, "report", "--beside", "nowhere.mpqc"); code != exitUsage || !strings.Contains(stderr, "nowhere.mpqc is no workspace") {
		t.Errorf("report beside nothing: exit code %d, %s", code, stderr)
	}
	if code, _, stderr = call(t, "report", "--beside", "example.mpqc"); code != exitFailed || !strings.Contains(stderr, "example.mpqc holds no training") {
		t.Errorf("report beside a network that was not trained: exit code %d, %s", code, stderr)
	}
}

// editRows changes the policy that was found at 4 bit and writes it to edited.json.
func editRows(t *testing.T, change func(rows []pipeline.PolicyRow) []pipeline.PolicyRow) []pipeline.PolicyRow {
	t.Helper()
	var doc struct{ Result pipeline.Result }
	if err := json.Unmarshal(read(t, filepath.Join("example.mpqc", "report.json")), &doc); err != nil {
		t.Fatal(err)
	}
	rows := change(doc.Result.Results[0].Policy)
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	write(t, "edited.json", b)
	return rows
}

func TestPolicy(t *testing.T) {
	found := decodeResult(t, example(t))
	want := editRows(t, func(rows []pipeline.PolicyRow) []pipeline.PolicyRow {
		rows[3].W, rows[4].W = 8, 3
		return rows
	})
	code, stdout, stderr := call(t, "compress", "--policy", "edited.json", "--json")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	r := decodeResult(t, stdout)
	x := r.Results[0]
	if !slices.Equal(x.Policy, want) || slices.Equal(x.Policy, found.Results[0].Policy) {
		t.Errorf("policy %v, want %v", x.Policy, want)
	}
	if x.Target != "policy-edited" || r.Fingerprint != found.Fingerprint || r.Seconds.Train != 0 || !x.Files[0].Verified {
		t.Errorf("result %+v", x)
	}
	if x.Uniform.BitOPs > x.BitOPs {
		t.Errorf("the baseline has %d BitOPs, the policy %d", x.Uniform.BitOPs, x.BitOPs)
	}
	// So is the file that people edit, comments and all.
	text := string(read(t, filepath.Join("example.mpqc", "search", "policy-edited.policy")))
	if !strings.Contains(text, "# Policy of target policy-edited") || !strings.Contains(text, "; same a as ") && strings.Count(text, "a 3,4,8") == 0 {
		t.Errorf("policy file:\n%s", text)
	}
	write(t, "copy.policy", []byte(text))
	if code, stdout, stderr = call(t, "compress", "--policy", "copy.policy", "--json"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if same := decodeResult(t, stdout).Results[0]; same.Files[0].SHA256 != x.Files[0].SHA256 {
		t.Error("the policy as text gave another file")
	}
	// It is exported further like a policy that was found, alone or with all others.
	var out exportJSON
	for _, args := range [][]string{{"--target", "policy-edited"}, nil} {
		code, stdout, stderr := call(t, append([]string{"export", "--profile", "openvino", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(stdout), &out); err != nil || code != exitDone {
			t.Fatalf("exit code %d, %v: %s", code, err, stderr)
		}
		if !slices.ContainsFunc(out.Results, func(r pipeline.TargetResult) bool { return r.Target == "policy-edited" && r.Files[0].Verified }) {
			t.Errorf("%v: results %+v", args, out.Results)
		}
	}
	if code, _, stderr := call(t, "export", "--target", "policy-other"); code != exitUsage || !strings.Contains(stderr, "no policy policy-other, but 4.0bit, policy-") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, stdout, stderr = call(t, "compress", "--policy", "copy.policy", "--json"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	// A whole result is taken, too.
	write(t, "result.json", []byte(stdout))
	if code, stdout, stderr = call(t, "compress", "--policy", "result.json", "--json"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if same := decodeResult(t, stdout).Results[0]; same.Files[0].SHA256 != x.Files[0].SHA256 {
		t.Error("the same policy gave another file")
	}
	code, _, stderr = call(t, "compress", "--policy", "edited.json", "--target", "3.2bit")
	if code != exitInfeasible || !strings.Contains(stderr, "edited.json needs") || !strings.Contains(stderr, "allows 3.2") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestBadPolicies(t *testing.T) {
	example(t)
	edit := func(f func(rows []pipeline.PolicyRow) []pipeline.PolicyRow) string {
		editRows(t, f)
		return string(read(t, "edited.json"))
	}
	good := edit(func(r []pipeline.PolicyRow) []pipeline.PolicyRow { return r })
	text := string(read(t, filepath.Join("example.mpqc", "search", "4.0bit.policy")))
	line := func(node, bits string) string {
		return regexp.MustCompile(`(?m)^`+node+` .*$`).ReplaceAllString(text, node+" = "+bits)
	}
	for name, tc := range map[string]struct{ content, want string }{
		"syntax":                {strings.Replace(good, "\"w\": 8,", "\"w\": 8", 1), "line 5, column "},
		"type":                  {strings.Replace(good, "\"w\": 8,", "\"w\": \"many\",", 1), "line 4, column "},
		"empty":                 {"", "it is empty"},
		"other object":          {`{"layers": 3}`, "it holds no policy"},
		"unknown node":          {edit(func(r []pipeline.PolicyRow) []pipeline.PolicyRow { r[1].Node = "conv99"; return r }), `line 9: node "conv99" is no quantized layer`},
		"missing node":          {edit(func(r []pipeline.PolicyRow) []pipeline.PolicyRow { return slices.Delete(r, 1, 2) }), "node depthwise is missing"},
		"twice":                 {edit(func(r []pipeline.PolicyRow) []pipeline.PolicyRow { return append(r, r[1]) }), "node depthwise stands twice"},
		"no candidate":          {edit(func(r []pipeline.PolicyRow) []pipeline.PolicyRow { r[1].W = 5; return r }), "node depthwise: w 5 is not one of [3 4 8]"},
		"text without widths":   {line("down", "4"), "line 10: \"down = 4\" is not LAYER = W/A"},
		"text with a bad width": {line("down", "4/7"), "line 10: node down: a 7 is not one of [3 4 8]"},
		"text, a line less":     {regexp.MustCompile(`(?m)^down .*$`).ReplaceAllString(text, "# gone"), "node down is missing"},
		"fixed layer":           {edit(func(r []pipeline.PolicyRow) []pipeline.PolicyRow { r[0].W = 4; return r }), "node stem: w 4 is not one of [8]"},
	} {
		write(t, "bad.json", []byte(tc.content))
		code, stdout, stderr := call(t, "compress", "--policy", "bad.json", "--json")
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, tc.want) || !strings.Contains(stderr, "bad.json") {
			t.Errorf("%s: exit code %d, want %q: %s", name, code, tc.want, stderr)
		}
	}
	for _, args := range [][]string{{"--policy", "none.json"}, {"--policy", "x", "--pin", "stem=8/8"}, {"--policy", "x", "-t", "3bit", "-t", "4bit"}} {
		if code, _, stderr := call(t, append([]string{"compress"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}

// TestPolicyInPlaceOfATarget: a stated policy under a target's name is what export takes for that target, and the next
// search for the target finds its own again.
func TestPolicyInPlaceOfATarget(t *testing.T) {
	first := decodeResult(t, example(t)).Results[0]
	want := editRows(t, func(rows []pipeline.PolicyRow) []pipeline.PolicyRow {
		for i := range rows[1 : len(rows)-1] {
			rows[1+i].W = 3
		}
		return rows
	})
	if code, _, stderr := call(t, "compress", "--policy", "edited.json", "--target", "4.0bit"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, tc := range []struct {
		command string
		want    []pipeline.PolicyRow
	}{{"export", want}, {"search", first.Policy}} {
		code, stdout, stderr := call(t, tc.command, "--target", "4.0bit", "--json")
		var out struct{ Results []pipeline.TargetResult }
		if err := json.Unmarshal([]byte(stdout), &out); err != nil || code != exitDone {
			t.Fatalf("%s: exit code %d, %v: %s", tc.command, code, err, stderr)
		}
		if !slices.Equal(out.Results[0].Policy, tc.want) {
			t.Errorf("%s: policy %v, want %v", tc.command, out.Results[0].Policy, tc.want)
		}
	}
}

// TestPinLines: every line of a policy file serves as --pin, as it stands there.
func TestPinLines(t *testing.T) {
	found := decodeResult(t, example(t))
	var args []string
	for line := range strings.Lines(string(read(t, filepath.Join("example.mpqc", "search", "4.0bit.policy")))) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
			args = append(args, "--pin", line)
		}
	}
	code, stdout, stderr := call(t, append([]string{"search", "--json"}, args...)...)
	var r struct{ Results []pipeline.TargetResult }
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitDone {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	if got, want := r.Results[0].Policy, found.Results[0].Policy; !slices.Equal(got, want) || len(args) != 2*len(want) {
		t.Errorf("pinned %v, want %v", got, want)
	}
}

func TestPinAndCap(t *testing.T) {
	example(t)
	code, stdout, stderr := call(t, "search", "--target", "4.0bit", "--pin", "depthwise=8/8", "--cap", "point*=4/4", "--json")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var r struct{ Results []pipeline.TargetResult }
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Results) != 1 {
		t.Fatalf("%v: %s", err, stdout)
	}
	for _, row := range r.Results[0].Policy {
		if row.Node == "depthwise" && (row.W != 8 || row.A != 8) || strings.HasPrefix(row.Node, "point") && (row.W > 4 || row.A > 4) {
			t.Errorf("row %+v", row)
		}
	}
	for _, bad := range []string{"nothing=4/4", "depthwise=5/5"} {
		if code, _, stderr = call(t, "search", "--target", "4.0bit", "--pin", bad); code != exitUsage || !strings.Contains(stderr, bad) {
			t.Errorf("%s: exit code %d: %s", bad, code, stderr)
		}
	}
}

// manifest reads what a workspace has recorded.
func manifest(t *testing.T, dir string) (m pipeline.Manifest) {
	t.Helper()
	if err := json.Unmarshal(read(t, filepath.Join(dir, "manifest.json")), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBaselines trains without quantizers and at one width, with the command that trains a supernet.
func TestBaselines(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	args := []string{
		"compress", "--data", smallData(t, dir, 128, 64), "--epochs", "1", "--batch", "32", "--calibrate-samples", "32", "--search-samples", "8",
		"--norm-samples", "64", "--json",
	}
	code, stdout, stderr := call(t, append(args, "--bits", "float", "--lr", "0.001")...)
	needRuntime(t, code, stderr)
	if code != exitDone {
		t.Fatalf("float: exit code %d: %s", code, stderr)
	}
	x := decodeResult(t, stdout).Results[0]
	f := x.Files[0]
	if x.Target != "float" || f.Profile != "float" || !f.Verified || f.MaxAbsDiff > 1e-3 || x.AvgWeightBits != 32 || *x.Metric.Top1 < 0.8 {
		t.Errorf("float: %+v", x)
	}
	for _, c := range loadModel(t, f.Path).Graph.Nodes() {
		if strings.Contains(c.Op(), "Quantize") {
			t.Errorf("the float model has node %s", c)
		}
	}
	if code, _, stderr = call(t, "compress", "--target", "4bit"); code != exitUsage || !strings.Contains(stderr, "--retrain") {
		t.Errorf("a target in a float workspace: exit code %d: %s", code, stderr)
	}
	if code, _, stderr = call(t, "compress", "--bits", "4"); code != exitUsage || !strings.Contains(stderr, "trained in float") {
		t.Errorf("other bits in a float workspace: exit code %d: %s", code, stderr)
	}

	code, stdout, stderr = call(t, append(args, "--bits", "4", "--retrain", "--no-ema", "--no-scheduler", "--no-idm", "--no-damping")...)
	if code != exitDone {
		t.Fatalf("4 bit: exit code %d: %s", code, stderr)
	}
	if !strings.Contains(stderr, "paths per step: 1\n") {
		t.Errorf("one width has more than one path: %s", stderr)
	}
	if x = decodeResult(t, stdout).Results[0]; x.Target != "4.0bit" || x.AvgWeightBits != 4 || x.AvgActivationBits != 4 || x.Uniform.Bits != 4 {
		t.Errorf("4 bit: %+v", x)
	}
	o := manifest(t, "example.mpqc").Options
	for name, v := range map[string]*bool{"no-ema": o.NoEMA, "no-scheduler": o.NoScheduler, "no-idm": o.NoIDM, "no-damping": o.NoDamping} {
		if v == nil || !*v {
			t.Errorf("--%s is not recorded", name)
		}
	}
	code, _, stderr = call(t, append(args, "--epochs", "2")...)
	if code != exitDone || !strings.Contains(stderr, "warning: keeping the supernet") || *manifest(t, "example.mpqc").Options.Epochs != 1 {
		t.Errorf("other epochs: exit code %d, %v epochs: %s", code, *manifest(t, "example.mpqc").Options.Epochs, stderr)
	}
	if code, _, stderr = call(t, "compress", "--seed", "7"); code != exitUsage || !strings.Contains(stderr, "seed (7, trained with 1)") {
		t.Errorf("other seed: exit code %d: %s", code, stderr)
	}
}

func loadModel(t *testing.T, path string) *onnx.Model {
	t.Helper()
	m, err := onnx.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTimeAndHoldout trains for a stated time on pictures without splits.
func TestTimeAndHoldout(t *testing.T) {
	t.Chdir(t.TempDir())
	pngFolder(t, "all", 160, 0)
	if err := os.Rename(filepath.Join("all", "train"), "pictures"); err != nil {
		t.Fatal(err)
	}
	model := modelFile(t, "model.onnx", nil)
	code, _, stderr := call(t, model, "--nothing")
	if code != exitUsage {
		t.Errorf("a model in the place of a command: exit code %d: %s", code, stderr)
	}
	code, _, stderr = call(t, "compress", model, "--data", "pictures", "--time", "700ms", "--batch", "16", "--holdout", "0.25", "--bits", "8",
		"--calibrate-samples", "16", "--search-samples", "8", "--norm-samples", "16")
	needRuntime(t, code, stderr)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	m := manifest(t, "model.mpqc")
	if m.Data.Train != 120 || m.Data.Test != 40 {
		t.Errorf("%d training and %d test pictures of 160 with a hold-out of 0.25", m.Data.Train, m.Data.Test)
	}
	if !strings.Contains(stderr, "steps of 16 pictures") || m.Stages["train"].Note != "" {
		t.Errorf("nothing was trained: %+v %s", m.Stages["train"], stderr)
	}
	if code, _, stderr = call(t, "compress", "--holdout", "0.5"); code != exitUsage || !strings.Contains(stderr, "hold-out (0.5, trained with 0.25)") {
		t.Errorf("other hold-out: exit code %d: %s", code, stderr)
	}
}

func TestImportFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	model := modelFile(t, "model.onnx", nil)
	var r pipeline.ImportResult
	layers := func(args ...string) map[string]pipeline.ImportLayer {
		code, stdout, stderr := call(t, append([]string{"import", "--json", "--workspace", "w.mpqc"}, args...)...)
		if code != exitDone {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
		r = pipeline.ImportResult{}
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		out := map[string]pipeline.ImportLayer{}
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
	code, _, stderr := call(t, "import", model, "--exclude", "conv99")
	if code == exitDone || !strings.Contains(stderr, `"conv99"`) {
		t.Errorf("--exclude of nothing: exit code %d: %s", code, stderr)
	}
}

// TestPreprocessingFlags measures a model with and without metadata.
func TestPreprocessingFlags(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	data := smallData(t, dir, 16, 200)
	own := modelFile(t, "own.onnx", nil)
	silent := modelFile(t, "silent.onnx", func(m *onnx.Model) { m.SetMetadata("org.mpqc.preprocessing", "") })
	top1 := func(args ...string) float64 {
		code, stdout, stderr := call(t, append([]string{"eval", "--json", "--data", data}, args...)...)
		needRuntime(t, code, stderr)
		var r pipeline.EvalResult
		if err := json.Unmarshal([]byte(stdout), &r); code != exitDone || err != nil || r.Top1 == nil {
			t.Fatalf("%v: exit code %d, %v: %s%s", args, code, err, stdout, stderr)
		}
		return *r.Top1
	}
	code, _, stderr := call(t, "eval", silent, "--data", data)
	needRuntime(t, code, stderr)
	if code != exitUsage || !strings.Contains(stderr, "--preset") || !strings.Contains(stderr, "--mean") {
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
	broken := modelFile(t, "broken.onnx", func(m *onnx.Model) { m.SetMetadata("org.mpqc.preprocessing", "{]") })
	code, _, stderr = call(t, "eval", broken, "--data", data)
	if code != exitFailed || !strings.Contains(stderr, "org.mpqc.preprocessing") || !strings.Contains(stderr, "--preset NAME") {
		t.Errorf("broken metadata: exit code %d: %s", code, stderr)
	}
	if got := top1(broken, "--preset", "fashion-mnist"); got != right {
		t.Errorf("top-1 %v with the model's metadata, %v with the preset in place of a broken one", right, got)
	}
	for _, args := range [][]string{{"--preset", "nothing"}, {"--mean", "a,b"}, {"--std", "0"}, {"--resize", "1x2x3"}, {"--layout", "CHWN"}} {
		if code, _, stderr := call(t, append([]string{"eval", own, "--data", data}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}

func TestProvider(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	model, data := modelFile(t, "model.onnx", nil), smallData(t, dir, 16, 16)
	for _, args := range [][]string{{"eval", model, "--data", data}, {"compress", model, "--data", data, "--epochs", "0", "--search-samples", "4", "--bits", "8"}} {
		code, _, stderr := call(t, append(args, "--provider", "tensorrt")...)
		needRuntime(t, code, stderr)
		if code == exitDone {
			t.Skip("this onnxruntime library has TensorRT")
		}
		if code != exitUsage || !strings.Contains(stderr, "offers cpu") || !strings.Contains(stderr, "--onnxruntime") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		if code, _, stderr = call(t, append(args, "--provider", "cpu")...); code != exitDone {
			t.Errorf("cpu: exit code %d: %s", code, stderr)
		}
	}
}
