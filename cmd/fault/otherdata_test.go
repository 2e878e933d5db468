package fault

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/cmd/exit"
	lockfile "github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestUnusableData: a run that fails for its samples leaves the manifest as it was, so that the next one still finds
// those that worked.
func TestUnusableData(t *testing.T) {
	program.Example(t)
	good := program.Manifest(t, "example.mpqc")
	sample.Large(t, "large")
	sample.PNGFolder(t, "half", 64, 64)
	sample.Corrupt(t, filepath.Join("half", "train"), 40)
	for _, args := range [][]string{
		{"--data", "large"}, {"--data", "half"}, {"--data", "large", "--calibrate-samples", "32"}, {"--data", "missing"},
	} {
		if code, _, stderr := program.Call(t, append([]string{"compress"}, args...)...); code == exit.Done {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
		now := program.Manifest(t, "example.mpqc")
		if now.Data.Path != good.Data.Path || now.Options.Data != good.Options.Data || now.Options.CalibrateSamples != good.Options.CalibrateSamples {
			t.Errorf("%v: the manifest names %+v, options %+v", args, now.Data, now.Options)
		}
	}
	if code, _, stderr := program.Call(t, "compress", "--target", "4.4bit"); code != exit.Done {
		t.Errorf("afterwards: exit code %d: %s", code, stderr)
	}
}

// TestOtherData: samples that a supernet was not trained on are taken, each time with a warning, since its test split
// may hold samples that it was trained on. The same samples elsewhere are no others.
func TestOtherData(t *testing.T) {
	program.Example(t)
	const warning = "the supernet was trained on other samples"
	same := sample.SmallData(t, "elsewhere", 512, 400)
	if code, _, stderr := program.Call(t, "compress", "--data", same); code != exit.Done || strings.Contains(stderr, warning) {
		t.Errorf("the same samples: exit code %d: %s", code, stderr)
	}
	sample.PNGFolder(t, "other", 128, 64)
	for range 2 {
		code, _, stderr := program.Call(t, "compress", "--data", "other")
		if code != exit.Done || !strings.Contains(stderr, warning) || !strings.Contains(stderr, program.Manifest(t, "example.mpqc").Trained.Path) || !strings.Contains(stderr, "--retrain") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	}
	if code, _, stderr := program.Call(t, "compress", "--data", "other", "--retrain"); code != exit.Done || strings.Contains(stderr, warning) {
		t.Errorf("retrained: exit code %d: %s", code, stderr)
	}
}

// TestVerifyReads: verify leaves every byte of the workspace as it was, with other samples and options, too, and needs
// no lock.
func TestVerifyReads(t *testing.T) {
	program.Example(t)
	file := filepath.Join("example.mpqc", "out", "example-4.0bit.ort.onnx")
	other := sample.SmallData(t, "elsewhere", 64, 48)
	lock, err := lockfile.Acquire("example.mpqc")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if err := os.RemoveAll(filepath.Join("example.mpqc", "scores")); err != nil { // nothing is kept for later, either
		t.Fatal(err)
	}
	before := tree(t, "example.mpqc")
	for _, args := range [][]string{{"--samples", "8"}, {"--data", other, "--samples", "8"}} {
		code, stdout, stderr := program.Call(t, append([]string{"verify", file}, args...)...)
		if code != exit.Done || !strings.Contains(stdout, ", 0 differ") {
			t.Errorf("%v: exit code %d: %s%s", args, code, stdout, stderr)
		}
		if diff := cmp.Diff(before, tree(t, "example.mpqc")); diff != "" {
			t.Errorf("%v changed the workspace:\n%s", args, diff)
		}
	}
}

// tree is what a folder holds: time of change, length and content of every file.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		out[path] = fmt.Sprintf("%v, %x", info.ModTime(), sha256.Sum256(sample.Read(t, path)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
