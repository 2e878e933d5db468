package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/models"
)

func TestDoctor(t *testing.T) {
	model, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	sample.Write(t, "model.onnx", model)
	code, stdout, stderr := program.Call(t, "doctor", "model.onnx", "--json")
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
	if code != exit.Done || len(r.Layers) == 0 || r.Layers[0].MACs == 0 || len(r.Groups) == 0 || r.Cost["memory_mb"] == nil {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if code, stdout, _ = program.Call(t, "doctor", "model.onnx", "--exclude", r.Layers[1].Node, "--profile", "qonnx"); code != exit.Done ||
		!strings.Contains(stdout, "excluded by option") || !strings.Contains(stdout, "--profile qonnx") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	sample.Write(t, "cut.onnx", model[:len(model)/2])
	code, stdout, stderr = program.Call(t, "doctor", "cut.onnx")
	if code != exit.Failed || !strings.Contains(stdout, "stops:") || !strings.Contains(stdout, "truncated") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for _, args := range [][]string{{}, {filepath.Join("no", "such.onnx")}, {"model.onnx", "--profile", "none"}, {"model.onnx", "--bits", "9"}} {
		if code, _, stderr := program.Call(t, append([]string{"doctor"}, args...)...); code != exit.Usage {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
