package cmd

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// small are settings with which the embedded example takes seconds.
var small = []string{"--calibrate-samples", "64", "--search-samples", "256", "--norm-samples", "128", "--bits", "3,4,8"}

// least are settings with which any network takes seconds, where what it says does not matter.
var least = []string{"--epochs", "0", "--calibrate-samples", "16", "--search-samples", "8", "--norm-samples", "16"}

// shared is one workspace of the embedded example that tests copy: calibrated, searched at 4 bit, exported, with
// fewer pictures than the example has.
var shared struct {
	once   sync.Once
	dir    string
	code   int
	stdout string
	stderr string
}

func TestMain(m *testing.M) {
	m.Run()
	for _, dir := range []string{shared.dir, program.dir} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// example changes into a new folder that holds example.mpqc, post-training at 4 bit with the small settings, and
// returns what `compress --json` printed when it was made.
func example(t *testing.T) (stdout string) {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "mpqc-example-*") //nolint:usetesting // outlives the test that makes it
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		data := smallData(t, dir, 512, 400)
		t.Chdir(dir)
		shared.code, shared.stdout, shared.stderr = call(t, append([]string{
			"compress", "--target", "4.0bit", "--epochs", "0", "--json", "--data", data,
		}, small...)...)
	})
	needRuntime(t, shared.code, shared.stderr)
	if shared.code != exitDone {
		t.Fatalf("exit code %d: %s", shared.code, shared.stderr)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "example.mpqc"), os.DirFS(filepath.Join(shared.dir, "example.mpqc"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return shared.stdout
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
