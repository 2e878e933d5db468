// Package program runs the program in tests: inside the test's process, and as a binary of its own.
package program

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// run is cmd.Run. Main hands it in, since tests of cmd import this package.
var run func(args []string, stdout, stderr io.Writer) int

// Main is the TestMain of a package whose tests run the program; cmd is cmd.Run.
func Main(m *testing.M, cmd func(args []string, stdout, stderr io.Writer) int) {
	run = cmd
	m.Run()
	for _, dir := range []string{shared.dir, binary.dir} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// Call runs a command line in the folder where the test stands.
func Call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(append([]string{"mpqc"}, args...), &out, &err)
	return code, out.String(), err.String()
}

// NeedRuntime ends a test where onnxruntime is missing.
func NeedRuntime(t *testing.T, code int, stderr string) {
	t.Helper()
	if code == exit.Failed && strings.Contains(stderr, "onnxruntime is not available") {
		testkit.Missing(t, "%s", stderr)
	}
}

// Succeed runs a command line that must succeed.
func Succeed(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := Call(t, args...)
	NeedRuntime(t, code, stderr)
	if code != exit.Done {
		t.Fatalf("%v: exit code %d: %s%s", args, code, stdout, stderr)
	}
	return stdout, stderr
}

// Answer runs a command line that must succeed and returns what it prints with --json.
func Answer[T any](t *testing.T, args ...string) (doc T, stderr string) {
	t.Helper()
	stdout, stderr := Succeed(t, append(slices.Clone(args), "--json")...)
	return Decode[T](t, []byte(stdout)), stderr
}

// Result is the answer of a command line that works for one target.
func Result(t *testing.T, args ...string) (r pipeline.Result, stderr string) {
	t.Helper()
	stdout, stderr := Succeed(t, append(slices.Clone(args), "--json")...)
	return DecodeResult(t, stdout), stderr
}

// Decode reads a JSON document.
func Decode[T any](t *testing.T, text []byte) (doc T) {
	t.Helper()
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("no JSON document: %v\n%s", err, text)
	}
	return doc
}

// DecodeResult is strict: one document with one result, and nothing that pipeline.Result lacks.
func DecodeResult(t *testing.T, stdout string) (r pipeline.Result) {
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

// EditManifest changes what a workspace has recorded.
func EditManifest(t *testing.T, dir string, edit func(m *workspace.Manifest)) {
	t.Helper()
	w, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	edit(&w.Manifest)
	if err := w.Save(); err != nil {
		t.Fatal(err)
	}
}

// Manifest reads what a workspace has recorded.
func Manifest(t *testing.T, dir string) workspace.Manifest {
	t.Helper()
	return Decode[workspace.Manifest](t, sample.Read(t, filepath.Join(dir, "manifest.json")))
}
