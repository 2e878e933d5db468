package job

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/record"
)

// TestCompressExample does the whole job on the embedded example, post-training and then trained, and checks what the
// contract promises about exit codes, stdout and files.
func TestCompressExample(t *testing.T) {
	r := program.DecodeResult(t, program.Example(t))
	check(t, r, "4.0bit")
	for _, f := range []string{
		"manifest.json", "float.onnx", "import.json", "calibration.json", "supernet.safetensors",
		"search/4.0bit.json", "out/example-4.0bit.ort.onnx", "report.html", "report.json",
	} {
		if _, err := os.Stat(filepath.Join("example.mpqc", f)); err != nil {
			t.Error(err)
		}
	}
	t.Run("search again without training", func(t *testing.T) {
		again, stderr := program.Result(t, "compress", "--target", "3.5bit")
		if strings.Contains(stderr, "eval float") || !strings.Contains(stderr, "eval 3.5bit uniform") {
			t.Errorf("the float model is measured once, each baseline with its target: %s", stderr)
		}
		check(t, again, "3.5bit")
		if again.Fingerprint != r.Fingerprint || again.Seconds.Train != 0 || again.Seconds.Calibrate != 0 {
			t.Errorf("worked anew: fingerprints %s and %s, seconds %+v", r.Fingerprint, again.Fingerprint, again.Seconds)
		}
	})
	t.Run("infeasible", func(t *testing.T) {
		code, stdout, stderr := program.Call(t, "compress", "--target", "1.0bit", "--json")
		if code != exit.Infeasible || !strings.Contains(stderr, "reaches 3 to 8 bit") || stdout != "" {
			t.Errorf("exit code %d, stdout %q: %s", code, stdout, stderr)
		}
	})
	t.Run("other bits need retraining", func(t *testing.T) {
		code, _, stderr := program.Call(t, "compress", "--target", "4.0bit", "--bits", "2,4,8")
		if code != exit.Usage || !strings.Contains(stderr, "--retrain") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	})
	t.Run("verify", testVerify)
	t.Run("train", func(t *testing.T) {
		trained, _ := program.Result(t, "compress", "--epochs", "1", "--train-samples", "64", "--batch", "16", "--search-samples", "8")
		check(t, trained, "4.0bit")
		if trained.Fingerprint == r.Fingerprint || trained.Seconds.Train == 0 || trained.Seconds.Waiting <= 0 || trained.Seconds.Waiting >= trained.Seconds.Train {
			t.Error("nothing was trained")
		}
	})
}

func check(t *testing.T, r pipeline.Result, target string) {
	t.Helper()
	x, f := r.Results[0], r.Results[0].Files[0]
	if len(x.Files) != 1 || x.Target != target || !f.Verified || f.CodesDifferent != 0 || f.CodesCompared == 0 || f.Flips != 0 {
		t.Errorf("target %s, file %+v", x.Target, f)
	}
	if r.Float.Top1 == nil || *r.Float.Top1 < 0.8 || x.Metric.Top1 == nil || x.Uniform.Top1 == nil {
		t.Fatalf("float %s, result %s", asJSON(t, r.Float), asJSON(t, x))
	}
	// Of 400 samples a difference of three is chance: the paired interval of the gain over the baseline decides.
	if floor := *r.Float.Top1 - 0.05; *x.Metric.Top1 < floor || x.Uniform.Gain != nil && x.Uniform.Gain.Interval[1] < 0 {
		t.Errorf("top-1 %.4f below %.4f, or worse than the baseline's %.4f by more than chance: %+v", *x.Metric.Top1, floor, *x.Uniform.Top1, x.Uniform.Gain)
	}
	if x.Uniform.BitOPs > x.BitOPs*11/10 || x.PackedBytes <= 0 || len(x.Policy) == 0 {
		t.Errorf("result %+v", x)
	}
	if b := x.Feasible; b[0] >= b[1] {
		t.Errorf("feasible range %v", b)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// testVerify checks a file that was exported, and one that was changed since.
func testVerify(t *testing.T) {
	path := filepath.Join("example.mpqc", "out", "example-4.0bit.ort.onnx")
	if v, _ := program.Answer[pipeline.VerifyResult](t, "verify", path); v.CodesDifferent != 0 || v.Profile != "ort" {
		t.Errorf("%+v", v)
	}
	// The 3.5-bit file in the place of the 4-bit one: valid, but not what its record says.
	good := sample.Read(t, path)
	defer sample.Write(t, path, good)
	sample.Write(t, path, sample.Read(t, filepath.Join("example.mpqc", "out", "example-3.5bit.ort.onnx")))
	if code, _, stderr := program.Call(t, "verify", path); code != exit.Mismatch {
		t.Errorf("exit code %d for another file: %s", code, stderr)
	}
}

// TestScoresAreKept runs the same command again: nothing is calibrated, trained, searched or measured, and the result
// is the same.
func TestScoresAreKept(t *testing.T) {
	first := program.DecodeResult(t, program.Example(t))
	again, stderr := program.Result(t, "compress", "--target", "4.0bit")
	for _, stage := range []string{"calibrate", "train", "round", "eval", "search", "verify"} {
		if strings.Contains(stderr, stage+" ") {
			t.Errorf("%s ran again: %s", stage, stderr)
		}
	}
	again.Seconds, first.Seconds = record.Seconds{}, record.Seconds{}
	a, errA := json.Marshal(first)
	b, errB := json.Marshal(again)
	if errA != nil || errB != nil || strings.ReplaceAll(string(a), program.ExampleDir(), "") != strings.ReplaceAll(string(b), program.ExampleDir(), "") {
		t.Errorf("results differ:\n%s\n%s", a, b)
	}
}
