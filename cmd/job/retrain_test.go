package job

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// TestRetrainThatFails: what is wrong with a command shows before it gives up the supernet that is there, or changes
// what the workspace says of its training.
func TestRetrainThatFails(t *testing.T) {
	program.Example(t)
	good, supernet := program.Manifest(t, "example.mpqc"), sample.Read(t, filepath.Join("example.mpqc", "supernet.safetensors"))
	for _, args := range [][]string{
		{"--retrain", "--epochs", "0", "--target", "0.1bit"}, {"--augment", "none", "--target", "0.1bit"}, {"--retrain", "--bits", "4", "--target", "2bit"},
	} {
		if code, _, stderr := program.Call(t, append([]string{"compress"}, args...)...); code != exit.Infeasible {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
		now := program.Manifest(t, "example.mpqc")
		if d := cmp.Diff(good.Stages, now.Stages) + cmp.Diff(good.Options, now.Options); d != "" {
			t.Errorf("%v: %s", args, d)
		}
	}
	if string(sample.Read(t, filepath.Join("example.mpqc", "supernet.safetensors"))) != string(supernet) {
		t.Error("another supernet")
	}
	if code, _, stderr := program.Call(t, "search", "--target", "4.2bit"); code != exit.Done {
		t.Errorf("afterwards: exit code %d: %s", code, stderr)
	}
}

// TestUnfinishedRetrain: a supernet of which a new training is under way serves no search and no export.
func TestUnfinishedRetrain(t *testing.T) {
	program.Example(t)
	program.EditManifest(t, "example.mpqc", func(m *workspace.Manifest) {
		train := m.Stages["train"]
		train.Done = false
		m.Stages["train"] = train
	})
	for _, args := range [][]string{{"search", "--target", "4.2bit"}, {"export", "--profile", "qnn"}, {"bench", "search"}} {
		if code, _, stderr := program.Call(t, args...); code != exit.Usage || !strings.Contains(stderr, "is being trained anew") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
