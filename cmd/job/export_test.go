package job

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
)

// exportJSON is what `export --json` prints, and part of what `search --json` does.
type exportJSON struct {
	Results []pipeline.TargetResult `json:"results"`
}

// TestExport: a policy that was found for one profile is written in others without a search, every file verifies, also
// from a file alone, and a profile that the supernet was not trained for is refused with the reason.
func TestExport(t *testing.T) {
	program.Example(t)
	out, stderr := program.Answer[exportJSON](t, "export", "--profile", "openvino,qonnx", "--profile", "qnn")
	if len(out.Results) != 1 || len(out.Results[0].Files) != 3 || strings.Contains(stderr, "search 4.0bit") {
		t.Fatalf("results %+v; stderr %s", out.Results, stderr)
	}
	for _, f := range out.Results[0].Files {
		if !f.Verified || f.CodesCompared == 0 || f.MaxCodeDiff > 1 || f.Flips > 4 || f.Arithmetic == "" || f.StoredBits == 0 || f.ImagesPerS != 0 {
			t.Errorf("file %+v", f)
		}
		if v, _ := program.Answer[pipeline.VerifyResult](t, "verify", f.Path, "--samples", "8"); v.Profile != f.Profile || v.CodesCompared == 0 || v.Errors != 0 {
			t.Errorf("verify %s: %+v", f.Path, v)
		}
	}
	page := sample.Read(t, filepath.Join("example.mpqc", "report.html"))
	for _, profile := range []string{"ort", "openvino", "qonnx", "qnn"} {
		if name := "example-4.0bit." + profile + ".onnx"; !strings.Contains(string(page), name) {
			t.Errorf("the report lacks %s", name)
		}
	}
	if _, err := os.Stat(filepath.Join("example.mpqc", "out", "example-4.0bit.qnn.encodings")); err != nil {
		t.Error(err)
	}
	if code, _, stderr := program.Call(t, "export", "--profile", "trt"); code != exit.Usage || !strings.Contains(stderr, "unsigned 8-bit") || !strings.Contains(stderr, "--retrain") {
		t.Errorf("trt: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := program.Call(t, "export", "--target", "5.0bit"); code != exit.Usage || !strings.Contains(stderr, "mpqc search finds one") {
		t.Errorf("no policy: exit code %d: %s", code, stderr)
	}
}

// TestPackedFlag: a packed file stands beside the plain one, is smaller, verifies, and says what loading costs.
func TestPackedFlag(t *testing.T) {
	program.Example(t)
	out, _ := program.Answer[exportJSON](t, "export", "--packed")
	f := out.Results[0].Files[0]
	if !f.Verified || f.CodesDifferent != 0 || !f.Packed || f.StoredBits >= 8 || f.Bytes >= f.PlainLength || f.Load == nil || f.PlainLoad == nil {
		t.Errorf("file %+v", f)
	}
	// A runtime holds a copy of what it loads; 0: the system does not tell.
	if p := f.Load.PeakBytes; p != 0 && p < f.Bytes {
		t.Errorf("loading %d bytes takes %d", f.Bytes, p)
	}
	if p := f.PlainLoad.PeakBytes; p != 0 && p < f.PlainLength {
		t.Errorf("loading %d bytes takes %d", f.PlainLength, p)
	}
	if integer, all, ok := f.Fused(); !ok || integer == 0 || integer != all {
		t.Errorf("%d of %d operators on integers, in float %v", integer, all, f.FloatOps)
	}
	if code, stdout, _ := program.Call(t, "export", "--packed"); code != exit.Done || !strings.Contains(stdout, "weights stored at ") ||
		!strings.Contains(stdout, "; the plain file of ") || !strings.Contains(stdout, " operators on 8-bit integers, 0 in float") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if code, _, stderr := program.Call(t, "export", "--packed", "--profile", "qonnx"); code != exit.Usage || !strings.Contains(stderr, "packed weights: ") {
		t.Errorf("qonnx: exit code %d: %s", code, stderr)
	}
}

// TestVerifyLint: any quantized file can be held against any profile, and a file that was renamed still finds its
// record.
func TestVerifyLint(t *testing.T) {
	program.Example(t)
	file := filepath.Join("example.mpqc", "out", "example-4.0bit.ort.onnx")
	if code, stdout, _ := program.Call(t, "verify", file, "--profile", "trt"); code != exit.Failed || !strings.Contains(stdout, "zero point is not 0") {
		t.Errorf("against trt: exit code %d: %s", code, stdout)
	}
	if code, _, stderr := program.Call(t, "verify", filepath.Join("example.mpqc", "float.onnx"), "--profile", "ort"); code != exit.Usage || !strings.Contains(stderr, "no quantized layers") {
		t.Errorf("a float model: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := program.Call(t, "verify", filepath.Join("example.mpqc", "float.onnx")); code != exit.Usage || !strings.Contains(stderr, "--profile") {
		t.Errorf("a file of another program: exit code %d: %s", code, stderr)
	}
	sample.Write(t, "renamed.onnx", sample.Read(t, file))
	if code, stdout, stderr := program.Call(t, "verify", "renamed.onnx", "--workspace", "example.mpqc", "--samples", "8"); code != exit.Done || !strings.Contains(stdout, ", 0 differ") {
		t.Errorf("renamed: exit code %d: %s%s", code, stdout, stderr)
	}
}
