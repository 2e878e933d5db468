package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// small are settings with which the embedded example takes seconds.
var small = []string{"--calibrate-samples", "64", "--search-samples", "32", "--norm-samples", "128", "--bits", "3,4,8"}

// shared is one workspace of the embedded example that tests copy: calibrated, searched at 4 bit, exported.
var shared struct {
	once   sync.Once
	dir    string
	code   int
	stdout string
	stderr string
}

func TestMain(m *testing.M) {
	m.Run()
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
}

// example changes into a new folder that holds example.mpqc, post-training at 4 bit with the small settings, and
// returns what `compress --json` printed when it was made.
func example(t *testing.T) (stdout string) {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "mpqc-example-*")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		t.Chdir(dir)
		shared.code, shared.stdout, shared.stderr = call(t, append([]string{"compress", "--target", "4.0bit", "--epochs", "0", "--json"}, small...)...)
	})
	if shared.code == exitFailed && strings.Contains(shared.stderr, "onnxruntime is not available") {
		t.Skip(shared.stderr)
	}
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
