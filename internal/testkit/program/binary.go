package program

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// binary is the program as releases build it: onnxruntime is not linked but looked for at run time. Built once.
var binary struct {
	once sync.Once
	dir  string
	err  error
}

// Binary is the path of the program as releases build it.
func Binary(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		binary.dir, binary.err = os.MkdirTemp("", "mpqc-program-*") //nolint:usetesting // outlives the test that makes it
		if binary.err == nil {
			binary.err = Build(t, filepath.Join(binary.dir, "mpqc"), "-tags", "mpqc_nolink")
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return filepath.Join(binary.dir, "mpqc")
}

// Build builds the program with arguments of go build.
func Build(t *testing.T, out string, args ...string) error {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", out}, args, []string{"github.com/mpqc/mpqc/cmd/mpqc"})...)
	c.Dir = Module(t) // tests stand in other folders
	if text, err := c.CombinedOutput(); err != nil {
		return errors.New(string(text))
	}
	return nil
}

// Command is a run of a binary in a folder.
func Command(t *testing.T, binary, dir string, args []string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Dir = dir
	return c
}

// Module is the folder of the module's source, wherever a test has changed to.
func Module(t *testing.T) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the source of the tests is not known")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}
