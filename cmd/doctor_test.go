package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/models"
)

func TestDoctor(t *testing.T) {
	model, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "model.onnx", model)
	code, stdout, stderr := call(t, "doctor", "model.onnx", "--json")
	var r struct {
		Layers []struct {
			Node, Op     string
			MACs, Params int64
			Candidates   []int
		}
		Groups   []any
		Problems []struct{ Node, Reason, Fix string }
		Cost     map[string]any
		Next     string
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	for _, p := range r.Problems {
		if strings.Contains(p.Reason, "onnxruntime is not available") {
			testkit.Missing(t, "%s", p.Reason)
		}
	}
	if code != exitDone || len(r.Layers) == 0 || r.Layers[0].MACs == 0 || len(r.Groups) == 0 || r.Cost["memory_mb"] == nil {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if code, stdout, _ = call(t, "doctor", "model.onnx", "--exclude", r.Layers[1].Node, "--profile", "qonnx"); code != exitDone ||
		!strings.Contains(stdout, "excluded by option") || !strings.Contains(stdout, "--profile qonnx") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	write(t, "cut.onnx", model[:len(model)/2])
	code, stdout, stderr = call(t, "doctor", "cut.onnx")
	if code != exitFailed || !strings.Contains(stdout, "stops:") || !strings.Contains(stdout, "truncated") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for _, args := range [][]string{{}, {filepath.Join("no", "such.onnx")}, {"model.onnx", "--profile", "none"}, {"model.onnx", "--bits", "9"}} {
		if code, _, stderr := call(t, append([]string{"doctor"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
