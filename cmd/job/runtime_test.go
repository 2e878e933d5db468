package job

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestMissingRuntime runs a binary that does not link onnxruntime where no library is found.
func TestMissingRuntime(t *testing.T) {
	if testing.Short() {
		t.Skip("links a binary")
	}
	binary, dir := program.Binary(t), t.TempDir()
	t.Chdir(dir)
	sample.ModelFile(t, "model.onnx", nil)
	data := sample.SmallData(t, dir, 16, 16)
	for _, args := range [][]string{{"eval", "model.onnx", "--data", data}, {"compress", "model.onnx", "--data", data}} {
		c := exec.CommandContext(t.Context(), binary, args...)
		c.Env = []string{"HOME=" + dir, "PATH=/nonexistent", "GOPATH=" + dir, "GOMODCACHE=" + dir}
		text, err := c.CombinedOutput()
		if err == nil || c.ProcessState.ExitCode() != exit.Failed {
			t.Errorf("%v: %v", args, err)
		}
		for _, want := range []string{"onnxruntime is not available", "--onnxruntime PATH", "MPQC_ONNXRUNTIME", "next to the program", "Go module", "system"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%v: %q is not in %s", args, want, text)
			}
		}
		if made, _ := filepath.Glob("*.mpqc"); len(made) > 0 {
			t.Errorf("%v: left behind %v", args, made)
		}
	}
	c := exec.CommandContext(t.Context(), binary, "eval", "model.onnx", "--data", data, "--onnxruntime", filepath.Join(dir, "nothing.so"))
	if text, err := c.CombinedOutput(); err == nil || !strings.Contains(string(text), "nothing.so") {
		t.Errorf("--onnxruntime: %v %s", err, text)
	}
}

// TestWithoutCgo: a program built without cgo imports models, and says of everything that runs them that it was built
// so and not that a library is missing.
func TestWithoutCgo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("CGO_ENABLED", "0")
	binary := filepath.Join(dir, "mpqc")
	if err := program.Build(t, binary); err != nil {
		t.Fatal(err)
	}
	sample.ModelFile(t, "model.onnx", nil)
	data := sample.SmallData(t, dir, 16, 16)
	if text, err := exec.CommandContext(t.Context(), binary, "import", "model.onnx").CombinedOutput(); err != nil {
		t.Errorf("import: %v: %s", err, text)
	}
	for _, args := range [][]string{
		{"compress", "--data", data},
		{"compress", "--data", data, "--onnxruntime", "lib.so"},
		{"eval", "model.onnx", "--data", data},
		{"doctor", "model.onnx"},
		{"doctor", "model.onnx", "--onnxruntime", "lib.so"},
	} {
		c := exec.CommandContext(t.Context(), binary, args...)
		text, err := c.CombinedOutput()
		if err == nil || c.ProcessState.ExitCode() != exit.Failed || !strings.Contains(string(text), "built without cgo") || !strings.Contains(string(text), "CGO_ENABLED=1") {
			t.Errorf("%v: %v: %s", args, err, text)
		}
		if advice := "--onnxruntime PATH"; strings.Contains(string(text), advice) {
			t.Errorf("%v advises %s, which does not help: %s", args, advice, text)
		}
	}
}
