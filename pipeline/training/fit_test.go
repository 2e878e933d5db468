package training

import (
	"os"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize/train"
)

// TestForeignCheckpoint: the checkpoint of another training is gone before a new one is on record: after an
// interruption it would pass for the new one's.
func TestForeignCheckpoint(t *testing.T) {
	f := &Fitter{Workspace: workspace.New(t.TempDir())}
	const checkpoint, stage = "checkpoint", event.Stage("polish 3.0bit")
	for _, tc := range []struct {
		under, now string
		resume     bool
	}{{"a", "a", true}, {"a", "b", false}} {
		if err := f.Workspace.Write(checkpoint, []byte("state")); err != nil {
			t.Fatal(err)
		}
		f.Workspace.Manifest.Stages[string(stage)] = workspace.StageState{Fingerprint: tc.under, Steps: 9}
		var said string
		rep := event.Sink(func(e event.Event) { said += e.Text }).Start(stage, "", "")
		o := train.Options{Steps: 7}
		state, resume, err := f.state(t.Context(), Task{Stage: stage, Stamp: tc.now, Checkpoint: checkpoint, Options: o}, nil, rep)
		if err != nil || resume != tc.resume || state.Fingerprint != tc.now {
			t.Errorf("%+v: state %+v, resumes %v, %v", tc, state, resume, err)
		}
		if want := map[bool]int{true: 9, false: 7}[tc.resume]; state.Steps != want {
			t.Errorf("%+v: %d steps, want %d", tc, state.Steps, want)
		}
		if _, err := os.Stat(f.Workspace.Path(checkpoint)); (err == nil) != tc.resume {
			t.Errorf("%+v: the checkpoint: %v", tc, err)
		}
		if strings.Contains(said, "starts anew") == tc.resume {
			t.Errorf("%+v: said %q", tc, said)
		}
	}
}
