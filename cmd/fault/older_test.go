package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// TestOlderTraining: a training that an older program left under way, whose fingerprints say nothing, goes on with the
// same samples and options. With others it starts anew, also where these were interrupted before.
func TestOlderTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("trains four times")
	}
	binary := program.Binary(t)
	data := sample.SmallData(t, t.TempDir(), 256, 48)
	args := append([]string{
		"compress", "--target", "4.0bit", "--data", data, "--epochs", "1", "--train-samples", "256", "--batch", "16", "--paths", "2",
		"--sampling", "uniform",
	}, program.Small...)
	older := t.TempDir()
	program.Interrupt(t, binary, older, args, "steps of", 0)
	w, err := workspace.Open(filepath.Join(older, "example.mpqc"))
	if err != nil {
		t.Fatal(err)
	}
	for name, state := range w.Manifest.Stages {
		state.Fingerprint, state.Stamps = "0123456789abcdef", 0
		w.Manifest.Stages[name] = state
	}
	if err := w.Save(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		before func(t *testing.T, dir string)
		more   []string
		resume bool
	}{
		{"as it was", func(*testing.T, string) {}, nil, true},
		{"other options", func(*testing.T, string) {}, []string{"--paths", "3"}, false},
		{"other options, interrupted before training", func(t *testing.T, dir string) {
			program.Interrupt(t, binary, dir, append(args, "--seed", "2"), "calibrate", 0)
		}, []string{"--seed", "2"}, false},
		{"other samples", func(t *testing.T, _ string) {
			t.Helper()
			other := sample.SmallData(t, t.TempDir(), 250, 48)
			if err := os.RemoveAll(data); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(data, os.DirFS(other)); err != nil {
				t.Fatal(err)
			}
		}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(older)); err != nil {
				t.Fatal(err)
			}
			tt.before(t, dir)
			text, err := program.Command(t, binary, dir, append(args, tt.more...)).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if resumed := strings.Contains(string(text), "going on at step "); resumed != tt.resume {
				t.Errorf("it goes on: %v\n%s", resumed, text)
			}
			if anew := strings.Contains(string(text), "training starts anew"); anew == tt.resume {
				t.Errorf("it says that training starts anew: %v", anew)
			}
		})
	}
}
