package job

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/record"
)

// onTarget runs compress for one target, and returns its result.
func onTarget(t *testing.T, target string, args ...string) (r pipeline.TargetResult, seconds record.Seconds, stderr string) {
	t.Helper()
	doc, stderr := program.Answer[pipeline.Result](t, append([]string{"compress", "--target", target}, args...)...)
	if len(doc.Results) != 1 || len(doc.Results[0].Files) == 0 || !doc.Results[0].Files[0].Verified {
		t.Fatalf("results %+v", doc.Results)
	}
	return doc.Results[0], doc.Seconds, stderr
}

// reported is the result of a target in the report of the example.
func reported(t *testing.T, target string) pipeline.TargetResult {
	t.Helper()
	var doc struct{ Result pipeline.Result }
	if err := json.Unmarshal(sample.Read(t, filepath.Join("example.mpqc", "report.json")), &doc); err != nil {
		t.Fatal(err)
	}
	for _, r := range doc.Result.Results {
		if r.Target == target {
			return r
		}
	}
	t.Fatalf("the report lacks %s", target)
	return pipeline.TargetResult{}
}

// TestPolish: the policy of a target gains by training alone, what it was before is said beside, and supernet and
// baseline stay. Of the nearest codes at two bits almost everywhere there is more to gain than trainings differ from
// CPU to CPU: 0.62 becomes 0.8.
func TestPolish(t *testing.T) {
	if testing.Short() {
		t.Skip("trains several times")
	}
	data := sample.SmallData(t, t.TempDir(), 512, 400)
	t.Chdir(t.TempDir())
	program.Succeed(t, slices.Concat([]string{"compress", "--target", "2.1bit", "--epochs", "0", "--data", data}, program.Small, []string{"--bits", "2,8", "--rounding", "nearest"})...)
	supernet := sample.Read(t, filepath.Join("example.mpqc", "supernet.safetensors"))
	plain, _, _ := onTarget(t, "2.1bit")
	codes := weightCodes(t, plain.Files[0].Path)
	r, seconds, _ := onTarget(t, "2.1bit", "--polish", "4")
	polished := weightCodes(t, r.Files[0].Path)
	p := r.Polish
	if plain.Polish != nil || p == nil || p.Epochs != 4 || p.Gain == nil || seconds.Polish <= 0 || seconds.Checkpoints != 0 {
		t.Fatalf("first %+v, then %+v in %+v", plain.Polish, p, seconds)
	}
	if *p.Before.Top1 != *plain.Metric.Top1 || p.Before.Agreement != plain.Metric.Agreement {
		t.Errorf("before %+v, without the flag %+v", p.Before, plain.Metric)
	}
	t.Logf("loss %.4f after %.4f, top-1 %.4f after %.4f", r.Metric.Loss, p.Before.Loss, *r.Metric.Top1, *p.Before.Top1)
	if d := p.Gain.Top1 - (*r.Metric.Top1 - *p.Before.Top1); p.Gain.Top1 <= 0 || d*d > 1e-18 || r.Metric.Loss >= p.Before.Loss {
		t.Errorf("after %+v, gain %+v, before %+v", r.Metric, p.Gain, p.Before)
	}
	if *r.Uniform.Top1 != *plain.Uniform.Top1 {
		t.Errorf("the baseline %+v, without the flag %+v", r.Uniform, plain.Uniform)
	}
	if string(sample.Read(t, filepath.Join("example.mpqc", "supernet.safetensors"))) != string(supernet) {
		t.Error("another supernet")
	}
	if got := reported(t, "2.1bit"); got.Polish == nil || *got.Metric.Top1 != *r.Metric.Top1 || len(got.Files) != 1 {
		t.Errorf("the report has %+v, %+v", got.Metric, got.Polish)
	}
	if page := sample.Read(t, filepath.Join("example.mpqc", "report.html")); !strings.Contains(string(page), "Polished for 4 epochs") {
		t.Error("the report does not say so")
	}
	folder := filepath.Join("example.mpqc", "search")
	trained, frozen := supernetIn(t, folder, "2.1bit.polished.safetensors"), supernetIn(t, folder, "2.1bit.norms.safetensors")
	if moved(trained, frozen, ".mean") == 0 || moved(trained, frozen, ".var") != 0 {
		t.Error("norms do not have the means of what was trained, and the variances of before")
	}
	slow, _, _ := onTarget(t, "2.1bit", "--polish", "4", "--lr", "1e-6")
	few, many := changes(codes, weightCodes(t, slow.Files[0].Path)), changes(codes, polished) // few: steps move, too
	if slow.Polish == nil || slow.Polish.Fingerprint == p.Fingerprint || many < 20 || few > many/5 {
		t.Errorf("at a rate of next to nothing %d codes of weights move, at their own %d", few, many)
	}
	if high, _, stderr := onTarget(t, "2.1bit", "--polish", "2", "--lr", "0.2"); high.Metric.Loss <= p.Before.Loss || !strings.Contains(stderr, "polish raised the loss from ") {
		t.Errorf("at too high a rate %+v: %s", high.Metric, stderr)
	}
	back, _, _ := onTarget(t, "2.1bit", "--polish", "0")
	if back.Polish != nil || back.Files[0].SHA256 != plain.Files[0].SHA256 || *reported(t, "2.1bit").Metric.Top1 != *plain.Metric.Top1 {
		t.Errorf("given back: %+v", back.Metric)
	}
}

// weightCodes are the codes of the weights in an exported file.
func weightCodes(t *testing.T, path string) (codes []int8) {
	t.Helper()
	for _, n := range sample.LoadModel(t, path).Graph.Nodes() {
		if n.Op() != "DequantizeLinear" {
			continue
		}
		c := n.Inputs()[0].Const()
		if c == nil || c.DType != tensor.Int8 {
			continue
		}
		x, err := tensor.Values[int8](c)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, x...)
	}
	if len(codes) == 0 {
		t.Fatalf("no codes in %s", path)
	}
	return codes
}

// changes counts the codes that differ.
func changes(a, b []int8) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// TestPolishStays: what was polished is what later runs and further profiles are of, verify finds it, and says of files
// from before another polish why it does not.
func TestPolishStays(t *testing.T) {
	if testing.Short() {
		t.Skip("trains several times")
	}
	program.Example(t)
	r, _, _ := onTarget(t, "3.0bit", "--polish", "4", "--label-smoothing", "0.1")
	again, _, stderr := onTarget(t, "3.0bit")
	if again.Files[0].SHA256 != r.Files[0].SHA256 || again.Polish == nil || strings.Contains(stderr, "steps of") {
		t.Errorf("again: %+v: %s", again.Polish, stderr)
	}
	out, stderr := program.Answer[exportJSON](t, "export", "--target", "3.0bit", "--profile", "openvino")
	other := out.Results[0]
	same := other.Polish != nil && other.Polish.Fingerprint == r.Polish.Fingerprint
	if !same || math.Abs(other.Metric.Agreement-r.Metric.Agreement) > 0.03 || strings.Contains(stderr, "steps of") { // 8-bit weights keep all bits there
		t.Errorf("export %+v, %+v: %s", other.Metric, other.Polish, stderr)
	}
	for _, f := range []pipeline.File{r.Files[0], other.Files[0]} {
		if v, _ := program.Answer[pipeline.VerifyResult](t, "verify", f.Path, "--samples", "8"); v.CodesCompared == 0 || v.MaxCodeDiff > 1 {
			t.Errorf("verify %s: %+v", f.Path, v)
		}
	}
	if s, _ := program.Answer[exportJSON](t, "search", "--target", "3.0bit"); s.Results[0].Files[0].SHA256 != r.Files[0].SHA256 {
		t.Error("search wrote another file")
	}
	if sharper, _, stderr := onTarget(t, "3.0bit", "--polish", "4"); sharper.Files[0].SHA256 == r.Files[0].SHA256 || !strings.Contains(stderr, "steps of") {
		t.Errorf("--label-smoothing changes nothing: %s", stderr)
	}
	if code, _, stderr := program.Call(t, "verify", other.Files[0].Path, "--samples", "8"); code != exit.Usage || !strings.Contains(stderr, "polished anew since") {
		t.Errorf("a file of another polish: exit code %d: %s", code, stderr)
	}
	anew, _, stderr := onTarget(t, "3.0bit", "--retrain", "--epochs", "0", "--ranges", "minmax")
	if anew.Polish != nil || !strings.Contains(stderr, "mpqc compress --target 3.0bit --polish 4 does that") {
		t.Errorf("of another supernet: %+v: %s", anew.Polish, stderr)
	}
}

// TestPolishWithoutLabels: the float model is the teacher and the judge. Codes are the nearest before and after, so
// that what training adds shows by itself.
func TestPolishWithoutLabels(t *testing.T) {
	data := sample.SmallData(t, t.TempDir(), 256, 100)
	t.Chdir(t.TempDir())
	r, _, _ := onTarget(t, "3.0bit", append([]string{"--data", data, "--no-labels", "--epochs", "0", "--polish", "4", "--rounding", "nearest"}, program.Small...)...)
	if p := r.Polish; p == nil || p.Gain != nil || r.Metric.Top1 != nil || r.Metric.Loss >= p.Before.Loss {
		t.Errorf("after %+v, polish %+v", r.Metric, p)
	}
}

// TestPolishGoesOn: polishing that was interrupted leaves the target as it was, and goes on from its checkpoint to the
// bytes of an undisturbed one on another number of threads.
func TestPolishGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	program.Example(t)
	binary, disturbed := program.Binary(t), t.TempDir()
	if err := os.CopyFS(disturbed, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	args := []string{"compress", "--target", "3.0bit", "--polish", "12"}
	calm, seconds, _ := onTarget(t, "3.0bit", "--polish", "12", "--threads", "1")
	program.Interrupt(t, binary, disturbed, args, "steps of", time.Duration(seconds.Polish/8*float64(time.Second)))
	checkpoint := filepath.Join(disturbed, "example.mpqc", "search", "3.0bit.checkpoint.safetensors")
	if _, err := os.Stat(checkpoint); err != nil {
		t.Error(err)
	}
	if text, err := program.Command(t, binary, disturbed, []string{"export", "--profile", "openvino"}).CombinedOutput(); err != nil {
		t.Errorf("export between the two: %v\n%s", err, text)
	}
	text, err := program.Command(t, binary, disturbed, args).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "going on at step ") {
		t.Errorf("going on: %v\n%s", err, text)
	}
	name := filepath.Join("example.mpqc", "out", filepath.Base(calm.Files[0].Path))
	if string(sample.Read(t, name)) != string(sample.Read(t, filepath.Join(disturbed, name))) {
		t.Error("another file than that of the undisturbed run")
	}
	if _, err := os.Stat(checkpoint); err == nil {
		t.Error("the checkpoint is still there")
	}
}

// TestPolishRefused: what trains no policy takes no --polish.
func TestPolishRefused(t *testing.T) {
	program.Example(t)
	if code, _, stderr := program.Call(t, append([]string{"compress", "--bits", "float", "--epochs", "0", "--retrain"}, program.Small[:2]...)...); code != exit.Done {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for args, want := range map[string]string{
		"compress --polish -1":             "--polish: -1 is not from 0",
		"compress --bits float --polish 1": "polish: it trains a quantized policy",
		"compress --polish 1":              "was trained in float and has nothing to search or to polish",
	} {
		if code, _, stderr := program.Call(t, strings.Fields(args)...); code != exit.Usage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
}
