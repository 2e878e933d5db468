package export_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
)

// TestSpeedBesideStatic measures files beside the float model and onnxruntime's own static quantization of it, in turn
// on one thread. The bound is loose because machines are busy; a file whose kernels did not fuse misses it by far.
func TestSpeedBesideStatic(t *testing.T) {
	interpreter := testkit.Python(t)
	if testing.Short() {
		t.Skip("runs for half a minute")
	}
	for _, tt := range []struct {
		model string
		batch int
	}{{"resnet20-cifar10", 32}, {"resnet18-cifar10-64", 4}, {"mobilenetv2-cifar10-64", 8}} {
		n := load(t, "models/"+tt.model+".onnx", true, 4, 8)
		dir := t.TempDir()
		args := []string{"testdata/speed.py", "--json", "--batch", fmt.Sprint(tt.batch), testkit.Shared(t, "models/"+tt.model+".onnx")}
		for _, b := range []int{8, 4} {
			path := filepath.Join(dir, fmt.Sprintf("%d.onnx", b))
			if err := n.export(t, n.plan.Uniform(b)).Save(path); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
		out, err := exec.CommandContext(t.Context(), interpreter, args...).Output()
		var median map[string]float64
		if err == nil {
			err = json.Unmarshal(out, &median)
		}
		if err != nil {
			t.Fatalf("speed.py %v: %v", args, err)
		}
		static, float := median["onnxruntime static"], median["float"]
		for _, b := range []string{"8", "4"} {
			ours := median[b+".onnx"]
			t.Logf("speed: %s %s/%s bit: %.2fx float, %.2fx static (static %.2fx float)", tt.model, b, b, float/ours, static/ours, float/static)
			if static/ours < 0.7 {
				t.Errorf("%s at %s bit runs at %.2f of the speed of static quantization", tt.model, b, static/ours)
			}
		}
	}
}
