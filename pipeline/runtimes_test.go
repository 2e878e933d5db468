//go:build cgo

package pipeline

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/cpumask"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/samples"
)

// TestRuntimes measures files of a ResNet-20 in onnxruntime and OpenVINO, with the kernels of this CPU and with those
// of one without VNNI, beside what the files say. It makes the rows of RESULTS.
func TestRuntimes(t *testing.T) {
	interpreter := testkit.Python(t)
	if testing.Short() {
		t.Skip("runs for some minutes")
	}
	o := Options{
		Workspace:       filepath.Join(t.TempDir(), "net.mpqc"),
		ModelOptions:    options.ModelOptions{Model: testkit.Shared(t, "models/resnet20-cifar10.onnx")},
		DataOptions:     options.DataOptions{Data: testkit.Shared(t, "data/cifar10-jpeg.zip")},
		TrainingOptions: options.TrainingOptions{Epochs: new(0.0)},
		SearchOptions:   options.SearchOptions{Targets: []string{"8.0bit", "w4.0a8", "4.0bit"}},
		ExportOptions:   options.ExportOptions{Profiles: []string{export.ProfileORT, export.ProfileOpenVINO}},
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const n = 3000
	x, shape, labels := testSamples(t, o, n)
	masked := maskedWheel(t, interpreter)
	for _, target := range r.Results {
		for _, f := range target.Files {
			var cells []string
			var written float64
			for _, run := range []struct {
				runtime string
				env     []string
				loses   float64 // points at most
			}{
				{"written", nil, 0},
				{"onnxruntime", nil, 0.3},
				{"onnxruntime", []string{"PYTHONPATH=" + masked}, 0.3},
				{"openvino", nil, 0.7},
				{"openvino", []string{"ONEDNN_MAX_CPU_ISA=AVX2"}, 0.7},
			} {
				top1 := predictions(t, interpreter, run.env, run.runtime, f.Path, x, shape).share(labels)
				if run.runtime == "written" {
					written = top1
				}
				if top1 < written-run.loses {
					t.Errorf("%s: %s %v has %.2f %%, as written %.2f %%", filepath.Base(f.Path), run.runtime, run.env, top1, written)
				}
				cells = append(cells, fmt.Sprintf("%.2f %%", top1))
			}
			t.Logf("runtimes: %s | %s | %s", target.Target, f.Profile, strings.Join(cells, " | "))
		}
	}
}

// testSamples writes the inputs of n test samples into a file.
func testSamples(t *testing.T, o Options, n int) (path, shape string, labels []int32) {
	t.Helper()
	s, c, err := openReadOnly(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.leave(nil)
	_, splits, err := openAll(t.Context(), s.env, c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = splits.Close() }()
	x, labels := make([]float32, n*splits.Elements), make([]int32, n)
	if err := splits.Test.Batch(t.Context(), samples.Draw(splits.Test.Len(), n, "runtimes", 1), x, labels); err != nil {
		t.Fatal(err)
	}
	path, shape = rawInputs(t, x, splits.BatchShape(n))
	return path, shape, labels
}

// maskedWheel is a folder with a copy of the interpreter's onnxruntime that sees no AVX-512.
func maskedWheel(t *testing.T, interpreter string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), interpreter, "-c", "import onnxruntime; print(onnxruntime.__path__[0])").Output()
	if err != nil {
		t.Fatal(err)
	}
	from, dir := strings.TrimSpace(string(out)), t.TempDir()
	to := filepath.Join(dir, "onnxruntime")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	libraries, err := filepath.Glob(filepath.Join(from, "capi", "onnxruntime_pybind11_state*.so"))
	if err != nil || len(libraries) != 1 {
		t.Fatalf("libraries of %s: %v, %v", from, libraries, err)
	}
	if _, err := cpumask.Mask(libraries[0], filepath.Join(to, "capi", filepath.Base(libraries[0]))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// classes are predictions.
type classes []int32

// predictions are those of a file in a runtime.
func predictions(t *testing.T, interpreter string, env []string, args ...string) (list classes) {
	t.Helper()
	c := exec.CommandContext(t.Context(), interpreter, append([]string{"../export/testdata/runtime.py"}, args...)...)
	c.Env, c.Stderr = append(os.Environ(), env...), os.Stderr
	out, err := c.Output()
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	if err != nil {
		t.Fatalf("runtime.py %v: %v", args, err)
	}
	return list
}

// share is that of right predictions in percent.
func (p classes) share(labels []int32) float64 {
	right := 0
	for i, k := range p {
		if k == labels[i] {
			right++
		}
	}
	return 100 * float64(right) / float64(len(labels))
}
