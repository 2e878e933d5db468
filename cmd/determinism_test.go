package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/pipeline"
)

// TestDeterminism: the whole job gives the same bytes on one thread and on two, with every instruction set of this
// machine. Fingerprint and hashes that `compress --json` prints are those of the files, and the manifest says which
// instruction set it was.
func TestDeterminism(t *testing.T) {
	if testing.Short() {
		t.Skip("trains several times")
	}
	args := append([]string{
		"compress", "--target", "4.0bit", "--json", "--data", smallData(t, t.TempDir(), 256, 48),
		"--epochs", "1", "--train-samples", "128", "--batch", "16", "--paths", "2",
	}, small...)
	for _, isa := range kernel.Available() {
		if isa == kernel.Go { // the oracle of the others, one operation at a time; minutes here
			continue
		}
		t.Run(isa.String(), func(t *testing.T) {
			restore, err := kernel.Override(isa)
			if err != nil {
				t.Fatal(err)
			}
			defer restore()
			one, two := t.TempDir(), t.TempDir()
			a, b := fresh(t, one, append(args, "--threads", "1")), fresh(t, two, append(args, "--threads", "2"))
			if a.Fingerprint != b.Fingerprint || a.Fingerprint == "" || a.Results[0].Files[0].SHA256 != b.Results[0].Files[0].SHA256 {
				t.Errorf("fingerprints %q and %q, files %+v and %+v", a.Fingerprint, b.Fingerprint, a.Results[0].Files[0], b.Results[0].Files[0])
			}
			same(t, filepath.Join(one, "example.mpqc"), filepath.Join(two, "example.mpqc"))
			var m pipeline.Manifest
			if err := json.Unmarshal(read(t, filepath.Join(two, "example.mpqc", "manifest.json")), &m); err != nil {
				t.Fatal(err)
			}
			for _, stage := range []string{"calibrate", "train"} {
				if got := m.Stages[stage].ISA; got != isa.String() {
					t.Errorf("stage %s was computed with %q, says the manifest", stage, got)
				}
			}
		})
	}
}

// fresh runs a command line in an empty folder and returns what it printed.
func fresh(t *testing.T, dir string, args []string) pipeline.Result {
	t.Helper()
	t.Chdir(dir)
	code, stdout, stderr := call(t, slices.Clone(args)...)
	needRuntime(t, code, stderr)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if _, err := os.Stat("example.mpqc/supernet.safetensors"); err != nil {
		t.Fatal(err)
	}
	return decodeResult(t, stdout)
}
