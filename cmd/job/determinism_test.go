package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline"
)

// TestDeterminism: the whole job gives the same bytes on one thread and on two, with every instruction set of this
// machine, in every profile that the supernet serves. Fingerprint and hashes that `compress --json` prints are those of
// the files, and the manifest says which instruction set it was.
func TestDeterminism(t *testing.T) {
	if testing.Short() {
		t.Skip("trains several times")
	}
	args := append([]string{
		"compress", "--target", "4.0bit", "--profile", "ort,openvino,qnn", "--data", sample.SmallData(t, t.TempDir(), 256, 48),
		"--epochs", "1", "--train-samples", "128", "--batch", "16", "--paths", "2",
	}, program.Small...)
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
			sameFiles(t, one, two, a, b)
			program.Same(t, filepath.Join(one, "example.mpqc"), filepath.Join(two, "example.mpqc"))
			m := program.Manifest(t, filepath.Join(two, "example.mpqc"))
			for _, stage := range []string{"calibrate", "train", "round"} {
				if got := m.Stages[stage].ISA; got != isa.String() {
					t.Errorf("stage %s was computed with %q, says the manifest", stage, got)
				}
			}
		})
	}
}

// TestDeterminismInt8 is the same without training, which the other test has, for the profiles that need a supernet of
// their own: with signed codes alone.
func TestDeterminismInt8(t *testing.T) {
	args := append([]string{
		"compress", "--target", "4.0bit", "--profile", "trt,qonnx,ort", "--data", sample.SmallData(t, t.TempDir(), 128, 32), "--epochs", "0",
	}, program.Small...)
	one, two := t.TempDir(), t.TempDir()
	a, b := fresh(t, one, append(args, "--threads", "1")), fresh(t, two, append(args, "--threads", "2"))
	sameFiles(t, one, two, a, b)
}

// sameFiles compares two results, and all that was exported, sidecars included.
func sameFiles(t *testing.T, one, two string, a, b pipeline.Result) {
	t.Helper()
	if a.Fingerprint != b.Fingerprint || a.Fingerprint == "" {
		t.Errorf("fingerprints %q and %q", a.Fingerprint, b.Fingerprint)
	}
	files := a.Results[0].Files
	if len(files) != 3 || len(b.Results[0].Files) != len(files) {
		t.Fatalf("%d and %d files", len(files), len(b.Results[0].Files))
	}
	for i, f := range files {
		sum := sha256.Sum256(sample.Read(t, filepath.Join(one, f.Path)))
		if f.SHA256 != b.Results[0].Files[i].SHA256 || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: hash %x, printed %s and %s", f.Path, sum, f.SHA256, b.Results[0].Files[i].SHA256)
		}
	}
	out := os.DirFS(filepath.Join(one, "example.mpqc", "out"))
	names, err := fs.Glob(out, "*")
	if err != nil || len(names) < 2*len(files) {
		t.Fatalf("exported %v, %v", names, err)
	}
	for _, name := range names {
		if !bytes.Equal(sample.Read(t, filepath.Join(one, "example.mpqc", "out", name)), sample.Read(t, filepath.Join(two, "example.mpqc", "out", name))) {
			t.Errorf("out/%s differs", name)
		}
	}
}

// fresh runs a command line in an empty folder and returns what it printed.
func fresh(t *testing.T, dir string, args []string) pipeline.Result {
	t.Helper()
	t.Chdir(dir)
	r, _ := program.Result(t, args...)
	if _, err := os.Stat("example.mpqc/supernet.safetensors"); err != nil {
		t.Fatal(err)
	}
	return r
}
