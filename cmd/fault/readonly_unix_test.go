//go:build unix

package fault

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
)

// TestReadOnly runs the real binary where it may not write: nothing is left behind, and the message says where else
// to work.
func TestReadOnly(t *testing.T) {
	binary := program.Binary(t)
	t.Run("folder", func(t *testing.T) {
		t.Chdir(t.TempDir())
		sample.ModelFile(t, "model.onnx", nil)
		text, err := frozen(t, binary, "import", "model.onnx")
		if err == nil || !strings.Contains(text, "permission denied") || !strings.Contains(text, "model.mpqc") || !strings.Contains(text, "--workspace DIR") {
			t.Errorf("%v: %s", err, text)
		}
		if made, _ := filepath.Glob("*.mpqc"); len(made) > 0 {
			t.Errorf("left behind %v", made)
		}
	})
	t.Run("workspace", func(t *testing.T) {
		program.Example(t)
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
	c.Env = append(os.Environ(), "MPQC_ONNXRUNTIME="+library(t, filepath.Dir(binary)))
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for _, from := range []string{dir, filepath.Dir(binary), program.ExampleDir()} { // so that the other user comes to them
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

// library is a copy in a folder of the onnxruntime library that this process uses, where every user can read it.
func library(t *testing.T, dir string) string {
	t.Helper()
	b, _ := program.Answer[pipeline.BuildInfo](t, "version")
	if b.Runtime.Error != "" {
		testkit.Missing(t, "%s", b.Runtime.Error)
	}
	path := filepath.Join(dir, "copy-of-"+filepath.Base(b.Runtime.Library))
	if _, err := os.Stat(path); err != nil {
		sample.Write(t, path, sample.Read(t, b.Runtime.Library))
	}
	return path
}
