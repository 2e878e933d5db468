package fault

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/cmd/exit"
	lockfile "github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// TestNewWorkspace: without a model the example is compressed in the workspace that is named, if that is new. A folder
// of something else is named by mistake, and stays as it is.
func TestNewWorkspace(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	data := sample.SmallData(t, t.TempDir(), 64, 32)
	args := slices.Concat([]string{"compress", "--data", data, "--bits", "8", "--quiet"}, program.Least)
	code, _, stderr := program.Call(t, append(args, "--workspace", "some where/new.mpqc/")...)
	program.NeedRuntime(t, code, stderr)
	if _, err := os.Stat("some where/new.mpqc/out"); code != exit.Done || err != nil {
		t.Errorf("exit code %d, %v: %s", code, err, stderr)
	}
	sample.Write(t, "other/notes.txt", []byte("x"))
	code, _, stderr = program.Call(t, append(args, "--workspace", "other")...)
	if code != exit.Usage || !strings.Contains(stderr, "workspace other holds no imported model: name the MODEL.onnx") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if left, _ := filepath.Glob("other/*"); !slices.Equal(left, []string{filepath.Join("other", "notes.txt")}) {
		t.Errorf("other holds %v", left)
	}
}

// TestUsageLeavesNothing: a command line that turns out wrong only when the model and the samples are read leaves
// nothing behind, either, and takes nothing away that was there.
func TestUsageLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.ModelFile(t, "model.onnx", nil)
	sample.ModelFile(t, "silent.onnx", func(m *onnx.Model) { m.SetMetadata("org.mpqc.preprocessing", "") })
	long := strings.Repeat("n", 230) + ".onnx"
	sample.Write(t, long, sample.Read(t, "model.onnx"))
	sample.PNGFolder(t, "samples", 20, 20)
	sample.PNGFolder(t, "fewer", 20, 20)
	for _, split := range []string{"train", "test"} {
		if err := os.RemoveAll(filepath.Join("fewer", split, "class3")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"other classes", []string{"model.onnx", "--data", "fewer"}, "classes, the model 10 outputs"},
		{"no preprocessing", []string{"silent.onnx", "--data", "samples"}, "--preset"},
		{"pin of nothing", []string{"model.onnx", "--data", "samples", "--pin", "nosuch=4/4"}, "nosuch"},
		{"memory", []string{"model.onnx", "--data", "samples", "--max-memory", "1MB"}, "--max-memory allows"},
		{"missing policy", []string{"model.onnx", "--data", "samples", "--policy", "missing"}, "missing"},
		{"long name", []string{long, "--data", "samples"}, "copy the model to a shorter name"},
	} {
		for _, where := range [][]string{nil, {"--workspace", "deep/er/w.mpqc"}} {
			args := slices.Concat([]string{"compress", "--epochs", "0"}, tc.args, where)
			code, _, stderr := program.Call(t, args...)
			program.NeedRuntime(t, code, stderr)
			if code != exit.Usage || !strings.Contains(stderr, tc.want) {
				t.Errorf("%s: exit code %d: %s", tc.name, code, stderr)
			}
			for _, pattern := range []string{"*.mpqc", "deep"} {
				if made, _ := filepath.Glob(pattern); len(made) > 0 {
					t.Errorf("%s: left behind %v", tc.name, made)
				}
			}
		}
	}
	program.Succeed(t, "import", "model.onnx")
	before := tree(t, "model.mpqc")
	if code, _, stderr := program.Call(t, "compress", "--data", "fewer", "--epochs", "0"); code != exit.Usage {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if after := tree(t, "model.mpqc"); len(after) < len(before) {
		t.Errorf("the workspace holds %d files of %d", len(after), len(before))
	}
}

// TestReportBeside: a report is rendered while another process works in the workspace, and waits for the first results
// of it.
func TestReportBeside(t *testing.T) {
	program.Example(t)
	lock, err := lockfile.Acquire("example.mpqc")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	html, results := filepath.Join("example.mpqc", "report.html"), filepath.Join("example.mpqc", "report.json")
	want := string(sample.Read(t, html))
	sample.Write(t, html, nil)
	if program.Succeed(t, "report"); string(sample.Read(t, html)) != want {
		t.Error("another report was rendered")
	}
	if err := os.Rename(results, "kept.json"); err != nil {
		t.Fatal(err)
	}
	sample.Write(t, html, nil)
	time.AfterFunc(500*time.Millisecond, func() {
		if err := os.Rename("kept.json", results); err != nil {
			t.Error(err)
		}
	})
	_, stderr := program.Succeed(t, "report")
	if string(sample.Read(t, html)) != want || !strings.Contains(stderr, "waiting for the first results: example.mpqc is in use by another process: process ") {
		t.Errorf("another report was rendered: %s", stderr)
	}
}
