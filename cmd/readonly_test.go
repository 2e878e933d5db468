package cmd

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline"
)

// TestReadOnly runs the real binary where it may not write: nothing is left behind, and the message says where else
// to work.
func TestReadOnly(t *testing.T) {
	binary := mpqc(t)
	t.Run("folder", func(t *testing.T) {
		t.Chdir(t.TempDir())
		modelFile(t, "model.onnx", nil)
		text, err := frozen(t, binary, "import", "model.onnx")
		if err == nil || !strings.Contains(text, "permission denied") || !strings.Contains(text, "model.mpqc") || !strings.Contains(text, "--workspace DIR") {
			t.Errorf("%v: %s", err, text)
		}
		if made, _ := filepath.Glob("*.mpqc"); len(made) > 0 {
			t.Errorf("left behind %v", made)
		}
	})
	t.Run("workspace", func(t *testing.T) {
		example(t)
		file := filepath.Join("example.mpqc", "out", "example-4.0bit.ort.onnx")
		before := tree(t, "example.mpqc")
		for _, args := range [][]string{{"compress", "--target", "4.4bit"}, {"search", "--target", "4.4bit"}, {"export"}, {"report"}} {
			text, err := frozen(t, binary, args...)
			if err == nil || !strings.Contains(text, "permission denied") || !strings.Contains(text, "example.mpqc") || !strings.Contains(text, "--workspace DIR") {
				t.Errorf("%v: %v: %s", args, err, text)
			}
		}
		if text, err := frozen(t, binary, "verify", file, "--samples", "8"); err != nil || !strings.Contains(text, ", 0 differ") {
			t.Errorf("verify only reads: %v: %s", err, text)
		}
		if diff := cmp.Diff(before, tree(t, "example.mpqc")); diff != "" {
			t.Errorf("the workspace changed:\n%s", diff)
		}
	})
}

// frozen runs the binary in the current folder, nothing of which it may change; for root that takes another user.
func frozen(t *testing.T, binary string, args ...string) (string, error) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Env = append(os.Environ(), "MPQC_ONNXRUNTIME="+library(t))
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for _, from := range []string{dir, filepath.Dir(binary), shared.dir} { // so that the other user comes to them
			for d := from; strings.HasPrefix(d, filepath.Clean(os.TempDir())+string(filepath.Separator)); d = filepath.Dir(d) {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
	} else {
		chmod(t, dir, 0o555, 0o444)
		defer chmod(t, dir, 0o755, 0o644)
	}
	text, err := c.CombinedOutput()
	if os.Getuid() == 0 && err != nil && !strings.Contains(string(text), "mpqc:") {
		t.Skipf("the binary cannot run as another user here: %v %s", err, text)
	}
	return string(text), err
}

// chmod changes a folder and everything in it.
func chmod(t *testing.T, dir string, folders, files fs.FileMode) {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			return os.Chmod(path, files)
		}
		paths = append(paths, path)
		return err
	})
	for _, p := range paths {
		if err == nil {
			err = os.Chmod(p, folders)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// library is a copy of the onnxruntime library that this process uses, where every user can read it.
func library(t *testing.T) string {
	t.Helper()
	code, stdout, stderr := call(t, "version", "--json")
	var b pipeline.BuildInfo
	if err := json.Unmarshal([]byte(stdout), &b); err != nil || code != exitDone {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	if b.Runtime.Error != "" {
		t.Skip(b.Runtime.Error)
	}
	path := filepath.Join(program.dir, "copy-of-"+filepath.Base(b.Runtime.Library))
	if _, err := os.Stat(path); err != nil {
		write(t, path, read(t, b.Runtime.Library))
	}
	return path
}

// TestWithoutCgo: a program built without cgo imports models, and says of everything that runs them that it was built so
// and not that a library is missing.
func TestWithoutCgo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("CGO_ENABLED", "0")
	binary := filepath.Join(dir, "mpqc")
	if err := build(t, binary); err != nil {
		t.Fatal(err)
	}
	modelFile(t, "model.onnx", nil)
	data := smallData(t, dir, 16, 16)
	if text, err := exec.CommandContext(t.Context(), binary, "import", "model.onnx").CombinedOutput(); err != nil {
		t.Errorf("import: %v: %s", err, text)
	}
	for _, args := range [][]string{
		{"compress", "--data", data}, {"compress", "--data", data, "--onnxruntime", "lib.so"}, {"eval", "model.onnx", "--data", data},
		{"doctor", "model.onnx"}, {"doctor", "model.onnx", "--onnxruntime", "lib.so"},
	} {
		c := exec.CommandContext(t.Context(), binary, args...)
		text, err := c.CombinedOutput()
		if err == nil || c.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(text), "built without cgo") || !strings.Contains(string(text), "CGO_ENABLED=1") {
			t.Errorf("%v: %v: %s", args, err, text)
		}
		if advice := "--onnxruntime PATH"; strings.Contains(string(text), advice) {
			t.Errorf("%v advises %s, which does not help: %s", args, advice, text)
		}
	}
}

// TestUntrained: commands that need results say of a workspace without any what makes them.
func TestUntrained(t *testing.T) {
	t.Chdir(t.TempDir())
	modelFile(t, "model.onnx", nil)
	if code, _, stderr := call(t, "import", "model.onnx"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, args := range [][]string{{"search"}, {"export"}, {"report"}, {"bench", "search"}} {
		code, _, stderr := call(t, args...)
		if code != exitUsage || !strings.Contains(stderr, "run mpqc compress first") || strings.Contains(stderr, "--data") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
