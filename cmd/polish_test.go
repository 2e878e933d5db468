package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/pipeline"
)

// polished runs the target on which the tests of --polish work, and returns its one result.
func polished(t *testing.T, args ...string) (r pipeline.TargetResult, seconds pipeline.Seconds, stderr string) {
	t.Helper()
	doc, stderr := answer[pipeline.Result](t, append([]string{"compress", "--target", "3.1bit"}, args...)...)
	if len(doc.Results) != 1 || len(doc.Results[0].Files) != 1 || !doc.Results[0].Files[0].Verified {
		t.Fatalf("results %+v", doc.Results)
	}
	return doc.Results[0], doc.Seconds, stderr
}

// TestPolish: the policy of a target gains by training alone, what it was before is said beside, the supernet stays, the file
// can be verified later, further profiles are of the same, and without the flag the target is what it was before.
func TestPolish(t *testing.T) {
	example(t)
	supernet := read(t, filepath.Join("example.mpqc", "supernet.safetensors"))
	plain, _, _ := polished(t)
	if plain.Polish != nil {
		t.Errorf("polish %+v", plain.Polish)
	}
	r, seconds, _ := polished(t, "--polish", "8")
	p := r.Polish
	if p == nil || p.Epochs != 8 || p.Gain == nil || seconds.Polish <= 0 {
		t.Fatalf("polish %+v in %g s", p, seconds.Polish)
	}
	if *p.Before.Top1 != *plain.Metric.Top1 || p.Before.Agreement != plain.Metric.Agreement {
		t.Errorf("before %+v, without the flag %+v", p.Before, plain.Metric)
	}
	if d := p.Gain.Top1 - (*r.Metric.Top1 - *p.Before.Top1); p.Gain.Top1 <= 0 || d*d > 1e-18 || r.Metric.Loss >= p.Before.Loss {
		t.Errorf("after %+v, gain %+v", r.Metric, p.Gain)
	}
	if !bytes.Equal(read(t, filepath.Join("example.mpqc", "supernet.safetensors")), supernet) {
		t.Error("another supernet")
	}
	if v, _ := answer[pipeline.VerifyResult](t, "verify", r.Files[0].Path, "--samples", "8"); v.CodesCompared == 0 || v.CodesDifferent != 0 {
		t.Errorf("verify: %+v", v)
	}
	out, stderr := answer[exportJSON](t, "export", "--target", "3.1bit", "--profile", "openvino")
	if e := out.Results[0]; e.Polish == nil || *e.Metric.Top1 != *r.Metric.Top1 || strings.Contains(stderr, "steps of") {
		t.Errorf("export %+v, polish %+v: %s", e.Metric, e.Polish, stderr)
	}
	if page := read(t, filepath.Join("example.mpqc", "report.html")); !bytes.Contains(page, []byte("Polished for 8 epochs")) {
		t.Error("the report does not say so")
	}
	if again, _, _ := polished(t); again.Files[0].SHA256 != plain.Files[0].SHA256 {
		t.Error("without the flag the target is another one than before")
	}
}

// TestPolishGoesOn: polishing that was interrupted goes on from its checkpoint and ends with the bytes of an undisturbed one on
// another number of threads.
func TestPolishGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	example(t)
	binary, disturbed := mpqc(t), t.TempDir()
	if err := os.CopyFS(disturbed, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	args := []string{"compress", "--target", "3.1bit", "--polish", "40"}
	calm, seconds, _ := polished(t, append(args[3:], "--threads", "1")...)
	interrupted(t, binary, disturbed, args, "steps of", time.Duration(seconds.Polish/4*float64(time.Second)))
	checkpoint := filepath.Join(disturbed, "example.mpqc", "search", "3.1bit.checkpoint.safetensors")
	if _, err := os.Stat(checkpoint); err != nil {
		t.Error(err)
	}
	text, err := command(t, binary, disturbed, args).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "going on at step ") {
		t.Errorf("going on: %v\n%s", err, text)
	}
	name := filepath.Join("example.mpqc", "out", filepath.Base(calm.Files[0].Path))
	if !bytes.Equal(read(t, name), read(t, filepath.Join(disturbed, name))) {
		t.Error("another file than that of the undisturbed run")
	}
	if _, err := os.Stat(checkpoint); err == nil {
		t.Error("the checkpoint is still there")
	}
}

// TestPolishRefused: what trains no policy takes no --polish.
func TestPolishRefused(t *testing.T) {
	for args, want := range map[string]string{
		"compress --polish -1":             "polish: must not be negative",
		"compress --bits float --polish 1": "polish: it trains a quantized policy",
		"search --polish 1":                "polish",
	} {
		if code, _, stderr := call(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
}
