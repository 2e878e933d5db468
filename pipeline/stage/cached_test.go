package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// newEnv is an environment in a new workspace; warnings go to said.
func newEnv(t *testing.T, said *[]string) *Env {
	t.Helper()
	return &Env{
		Workspace: workspace.New(t.TempDir() + "/w.mpqc"), Seconds: &record.Seconds{},
		Events: func(e event.Event) {
			if e.Kind == event.Warning {
				*said = append(*said, e.Text)
			}
		},
	}
}

// TestCached: a result is taken under the same key, and made anew under another, where it is damaged, and where it is
// stale.
func TestCached(t *testing.T) {
	var said []string
	e := newEnv(t, &said)
	const name = "search/4.0bit.policy" // a file without a hash
	runs := 0
	step := Step{Name: "search 4.0bit", Artifact: name, Key: Key{Version: 1, Inputs: []any{"a"}}}
	var loadErr error
	get := func(s Step) (string, error) {
		return Cached(e, s, func(string) (string, error) {
			data, err := e.Workspace.Read(name)
			return "kept " + string(data), errors.Join(err, loadErr)
		}, func(stamp string) (string, Ended, error) {
			runs++
			return "made", Ended{Seconds: 2, Note: "note"}, e.Workspace.Write(name, []byte(stamp))
		})
	}
	damage := &workspace.DamageError{Path: name, Name: name, Err: errors.New("bad")}
	other := step
	other.Key.Version = 2
	input := other
	input.Key.Inputs = []any{"b"}
	for _, tt := range []struct {
		name  string
		step  Step
		load  error
		runs  int
		fails bool
		warns bool
	}{
		{"new", step, nil, 1, false, false},
		{"again", step, nil, 1, false, false},
		{"another version", other, nil, 2, false, false},
		{"another input", input, nil, 3, false, false},
		{"stale", input, fmt.Errorf("%w: it is", ErrStale), 4, false, false},
		{"damaged", input, damage, 5, false, true},
		{"other trouble", input, os.ErrPermission, 5, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			said, loadErr = nil, tt.load
			before := runs
			v, err := get(tt.step)
			if (err != nil) != tt.fails || runs != tt.runs || (len(said) > 0) != tt.warns {
				t.Errorf("%q, %v, %d runs, said %q", v, err, runs, said)
			}
			if made := v == "made"; err == nil && made != (runs > before) {
				t.Errorf("%q after %d runs", v, runs-before)
			}
		})
	}
	loadErr = nil
	if state := e.Workspace.Manifest.Stages["search 4.0bit"]; !state.Done || state.Note != "note" || state.Seconds != 2 {
		t.Errorf("on record is %+v", state)
	}
	failed := errors.New("failed")
	_, err := Cached(e, Step{Name: "x", Artifact: name}, func(string) (int, error) { return 0, nil }, func(string) (int, Ended, error) { return 0, Ended{}, failed })
	if _, known := e.Workspace.Manifest.Stages["x"]; !errors.Is(err, failed) || known {
		t.Errorf("a stage that failed: %v, on record %v", err, known)
	}
}

// TestMeasured: a measurement stays under its key, and one that is damaged is made anew with a warning.
func TestMeasured(t *testing.T) {
	var said []string
	e := newEnv(t, &said)
	runs := 0
	measure := func(version int) float64 {
		m, err := Measured(e, event.StageEval, "scores/x.json", Key{Version: version}, nil, func() (record.Measured, error) {
			runs++
			return record.Measured{Metric: record.Metric{Loss: float64(runs)}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return m.Metric.Loss
	}
	if a, b, c := measure(1), measure(1), measure(2); a != 1 || b != 1 || c != 2 {
		t.Errorf("measured %g, %g, under another key %g", a, b, c)
	}
	if err := os.WriteFile(e.Workspace.Path("scores", "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := workspaceOf(e)
	if err != nil {
		t.Fatal(err)
	}
	e.Workspace = again
	if v := measure(2); v != 3 || len(said) == 0 || !strings.Contains(said[0], "made anew") {
		t.Errorf("%g after damage, said %q", v, said)
	}
}

// TestUnmeasured: what failed is not kept.
func TestUnmeasured(t *testing.T) {
	var said []string
	e := newEnv(t, &said)
	failed := errors.New("failed")
	_, err := Measured(e, event.StageEval, "scores/x.json", Key{}, nil, func() (record.Measured, error) { return record.Measured{}, failed })
	if !errors.Is(err, failed) || e.Workspace.Has("scores/x.json") {
		t.Errorf("error %v, kept %v", err, e.Workspace.Has("scores/x.json"))
	}
}

// workspaceOf opens the workspace of an environment as another process would.
func workspaceOf(e *Env) (*workspace.Workspace, error) {
	if err := e.Workspace.Save(); err != nil {
		return nil, err
	}
	return workspace.Open(e.Workspace.Dir())
}

// TestWrap: an error names its stage once and can be told by type, and an interrupt is no error of a stage.
func TestWrap(t *testing.T) {
	cause := errors.New("no layer")
	err := Wrap(event.StageTrain, cause)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Stage != event.StageTrain || !errors.Is(err, cause) || err.Error() != "train: no layer" {
		t.Errorf("error %v", err)
	}
	if again := Wrap(event.StageTrain, err); again.Error() != "train: no layer" {
		t.Errorf("named twice: %v", again)
	}
	if outer := Wrap(event.StageSearch, err); outer.Error() != "search: train: no layer" {
		t.Errorf("within another stage: %v", outer)
	}
	if err := Wrap(event.StageTrain, context.Canceled); err != context.Canceled { //nolint:errorlint // the very same
		t.Errorf("an interrupt is %v", err)
	}
	if Wrap(event.StageTrain, nil) != nil {
		t.Error("no error is one")
	}
}
