package cmd

import (
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/doctor"
)

// TestExporters takes what PyTorch's exporters write for detection networks, transformers and others (see
// onnx/pass/testdata/exporters) through doctor and a whole post-training run without labels.
func TestExporters(t *testing.T) {
	if testing.Short() {
		t.Skip("several whole runs")
	}
	dir, err := filepath.Abs("../onnx/pass/testdata/exporters")
	if err != nil {
		t.Fatal(err)
	}
	data := colours(t, 16, 40)
	for _, name := range []string{"mobile-21-fixed", "detector-18-fixed", "darknet-21", "transformer-18", "einsum-17-script", "groups-21", "channels-last-15", "functions-18"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			model := filepath.Join(dir, name+".onnx")
			if name == "functions-18" {
				model = filepath.Join(dir, "../functions", name+".onnx")
			}
			code, stdout, stderr := call(t, "doctor", model, "--json")
			needRuntime(t, code, stderr)
			var d doctor.Result
			if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != exitDone || d.Stops() {
				t.Fatalf("doctor: exit code %d, %v: %s%s", code, err, stdout, stderr)
			}
			layout := "NCHW"
			if strings.HasPrefix(name, "channels-last") {
				layout = "NHWC"
			}
			code, stdout, stderr = call(t, "compress", model, "--layout", layout, "--data", data, "--mean", "0.5", "--std", "0.25", "--no-labels", "--epochs", "0", "--json",
				"--target", "5.0bit", "--bits", "3,8", "--profile", "ort,openvino", "--calibrate-samples", "16", "--search-samples", "8", "--norm-samples", "16")
			if code != exitDone {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			var r pipeline.Result
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Results[0].Files {
				if !f.Verified || f.CodesCompared == 0 || f.MaxCodeDiff > 1 || f.CodesDifferent*1000 > f.CodesCompared {
					t.Errorf("file %+v", f)
				}
			}
		})
	}
}

// colours makes pictures of two classes.
func colours(t *testing.T, size, count int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for i := range count {
		split := "train"
		if i%4 == 0 {
			split = "test"
		}
		folder := filepath.Join(dir, split, strconv.Itoa(i%2))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		p := image.NewRGBA(image.Rect(0, 0, size, size))
		for k := range size * size {
			x, y := k%size, k/size
			p.Set(x, y, color.RGBA{R: uint8(x*13 + i*29), G: uint8(y*(7+i%2*20) + i), B: uint8(x*y + i*i), A: 255})
		}
		f, err := os.Create(filepath.Join(folder, "p"+strconv.Itoa(i)+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, p); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
