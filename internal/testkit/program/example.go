package program

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// Small are settings with which the embedded example takes seconds.
var Small = []string{"--calibrate-samples", "64", "--search-samples", "256", "--norm-samples", "128", "--bits", "3,4,8"}

// Least are settings with which any network takes seconds, where what it says does not matter.
var Least = []string{"--epochs", "0", "--calibrate-samples", "16", "--search-samples", "8", "--norm-samples", "16"}

// shared is one workspace of the embedded example that tests copy: calibrated, searched at 4 bit, exported, with
// fewer samples than the example has.
var shared struct {
	once   sync.Once
	dir    string
	code   int
	stdout string
	stderr string
}

// Example changes into a new folder that holds example.mpqc, post-training at 4 bit with the small settings, and
// returns what `compress --json` printed when it was made.
func Example(t *testing.T) (stdout string) {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "mpqc-example-*") //nolint:usetesting // outlives the test that makes it
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		data := sample.SmallData(t, dir, 512, 400)
		t.Chdir(dir)
		shared.code, shared.stdout, shared.stderr = Call(t, append([]string{
			"compress", "--target", "4.0bit", "--epochs", "0", "--json", "--data", data,
		}, Small...)...)
	})
	NeedRuntime(t, shared.code, shared.stderr)
	if shared.code != exit.Done {
		t.Fatalf("exit code %d: %s", shared.code, shared.stderr)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "example.mpqc"), os.DirFS(filepath.Join(shared.dir, "example.mpqc"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return shared.stdout
}

// ExampleDir is the folder where the workspace that Example copies was made; "" before the first Example.
func ExampleDir() string { return shared.dir }
