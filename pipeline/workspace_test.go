package pipeline

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline/event"
)

func TestStageStates(t *testing.T) {
	w := newWorkspace(filepath.Join(t.TempDir(), "m.mpqc"))
	if err := w.Write("a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	w.Manifest.Stages[string(event.StageTrain)] = StageState{Fingerprint: "f1"}
	if w.finished(event.StageTrain, "f1", "a") {
		t.Error("a stage under way counts as finished")
	}
	if err := w.end(event.StageTrain, "f1", 1.5, "note"); err != nil {
		t.Fatal(err)
	}
	again, err := OpenWorkspace(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, print, artifact string
		want                  bool
	}{
		{"same", "f1", "a", true},
		{"other options", "f2", "a", false},
		{"artifact gone", "f1", "b", false},
	} {
		if got := again.finished(event.StageTrain, tc.print, tc.artifact); got != tc.want {
			t.Errorf("%s: finished is %v", tc.name, got)
		}
	}
}

func TestOpenWorkspaceErrors(t *testing.T) {
	for name, content := range map[string]string{
		"not json": "{", "newer version": `{"version": 99}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenWorkspace(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestResolve(t *testing.T) {
	kept := Options{Data: "kept.zip", Epochs: ptr(7.0), WeightBits: []int{4}, Seed: ptr(uint64(9))}
	for _, tc := range []struct {
		name   string
		stated Options
		check  func(Options) (got, want any)
	}{
		{"kept data", Options{}, func(o Options) (any, any) { return o.Data, "kept.zip" }},
		{"stated data", Options{Data: "new"}, func(o Options) (any, any) { return o.Data, "new" }},
		{"zero epochs are stated", Options{Epochs: ptr(0.0)}, func(o Options) (any, any) { return *o.Epochs, 0.0 }},
		{"kept epochs", Options{}, func(o Options) (any, any) { return *o.Epochs, 7.0 }},
		{"effort brings epochs", Options{Effort: "quick"}, func(o Options) (any, any) { return *o.Epochs, *Defaults("quick").Epochs }},
		{"time replaces epochs", Options{Time: time.Minute}, func(o Options) (any, any) { return o.Time, time.Minute }},
		{"kept bits", Options{}, func(o Options) (any, any) { return o.WeightBits, []int{4} }},
		{"default bits", Options{}, func(o Options) (any, any) { return o.ActivationBits, []int{2, 3, 4, 5, 6, 8} }},
		{"kept seed", Options{}, func(o Options) (any, any) { return *o.Seed, uint64(9) }},
	} {
		got, want := tc.check(tc.stated.resolve(kept))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
}

func TestValidateListsAllProblems(t *testing.T) {
	err := Options{
		Targets: []string{"4.0bit", "many"}, WeightBits: []int{1}, Profiles: []string{"gpu"}, Epochs: ptr(-1.0), Pins: []string{"x"},
	}.Validate()
	if !errors.Is(err, ErrUsage) {
		t.Fatalf("error is %v", err)
	}
	for _, part := range []string{`"many"`, "bits: 1", `"gpu"`, "epochs", `"x"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %s", err, part)
		}
	}
	if err := (Options{}).Validate(); err != nil {
		t.Error(err)
	}
	if err := Defaults("standard").Validate(); err != nil {
		t.Error(err)
	}
}

func TestFindWorkspaces(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.mpqc", "a.mpqc"} {
		w := newWorkspace(filepath.Join(dir, name))
		if err := w.save(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "empty.mpqc"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := FindWorkspaces(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "a.mpqc"), filepath.Join(dir, "b.mpqc")}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// FuzzManifest wants a manifest that can be written again, or an error.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"version":1,"stages":{"train":{"done":true,"steps":5}},"options":{"epochs":1.5}}`, `{"version":99}`, `{"stages":null}`, "[]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		if m.Stages == nil {
			t.Error("stages are nil")
		}
		if err := m.Options.Validate(); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
		if _, err := json.Marshal(m); err != nil {
			t.Error(err)
		}
	})
}
