package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// call runs a command line in an empty folder.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = Run(append([]string{"mpqc"}, args...), &out, &err)
	return code, out.String(), err.String()
}

// needRuntime ends a test where onnxruntime is missing.
func needRuntime(t *testing.T, code int, stderr string) {
	t.Helper()
	if code == exitFailed && strings.Contains(stderr, "onnxruntime is not available") {
		testkit.Missing(t, "%s", stderr)
	}
}

// succeed runs a command line that must succeed.
func succeed(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := call(t, args...)
	needRuntime(t, code, stderr)
	if code != exitDone {
		t.Fatalf("%v: exit code %d: %s%s", args, code, stdout, stderr)
	}
	return stdout, stderr
}

// answer runs a command line that must succeed and returns what it prints with --json.
func answer[T any](t *testing.T, args ...string) (doc T, stderr string) {
	t.Helper()
	stdout, stderr := succeed(t, append(slices.Clone(args), "--json")...)
	return decode[T](t, []byte(stdout)), stderr
}

// result is the answer of a command line that works for one target.
func result(t *testing.T, args ...string) (r pipeline.Result, stderr string) {
	t.Helper()
	stdout, stderr := succeed(t, append(slices.Clone(args), "--json")...)
	return decodeResult(t, stdout), stderr
}

func decode[T any](t *testing.T, text []byte) (doc T) {
	t.Helper()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("no JSON document: %v\n%s", err, text)
	}
	return doc
}

// decodeResult is strict: one document with one result, and nothing that pipeline.Result lacks.
func decodeResult(t *testing.T, stdout string) (r pipeline.Result) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || d.More() {
		t.Fatalf("stdout is not one JSON document: %v\n%s", err, stdout)
	}
	if len(r.Results) != 1 || len(r.Results[0].Files) == 0 {
		t.Fatalf("%d results", len(r.Results))
	}
	return r
}

// manifest reads what a workspace has recorded.
func manifest(t *testing.T, dir string) workspace.Manifest {
	t.Helper()
	return decode[workspace.Manifest](t, read(t, filepath.Join(dir, "manifest.json")))
}

// program is the real binary as releases build it: onnxruntime is not linked but looked for at run time. Built once.
var program struct {
	once sync.Once
	dir  string
	err  error
}

// mpqc is the path of the real binary.
func mpqc(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		program.dir, program.err = os.MkdirTemp("", "mpqc-program-*") //nolint:usetesting // outlives the test that makes it
		if program.err == nil {
			program.err = build(t, filepath.Join(program.dir, "mpqc"), "-tags", "mpqc_nolink")
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "mpqc")
}

func build(t *testing.T, out string, args ...string) error {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", out}, args, []string{"github.com/mpqc/mpqc/cmd/mpqc"})...)
	// The tests stand in other folders; the module is where this package was compiled.
	c.Dir = sourceDir(t)
	if text, err := c.CombinedOutput(); err != nil {
		return errors.New(string(text))
	}
	return nil
}

// command is a run of the binary in a folder.
func command(t *testing.T, binary, dir string, args []string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Dir = dir
	return c
}

// sourceDir is the folder of this package, wherever a test has changed to.
func sourceDir(t *testing.T) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the source of the tests is not known")
	}
	return filepath.Dir(file)
}
