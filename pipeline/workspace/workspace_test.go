package workspace

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/pipeline/event"
)

func TestStageStates(t *testing.T) {
	w := New(filepath.Join(t.TempDir(), "m.mpqc"))
	if err := w.Write("a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	w.Manifest.Stages[string(event.StageTrain)] = StageState{Fingerprint: "f1"}
	if w.Finished(event.StageTrain, "f1", "a") {
		t.Error("a stage under way counts as finished")
	}
	if err := w.End(event.StageTrain, "f1", 1.5, "note"); err != nil {
		t.Fatal(err)
	}
	again, err := Open(w.dir)
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
		if got := again.Finished(event.StageTrain, tc.print, tc.artifact); got != tc.want {
			t.Errorf("%s: finished is %v", tc.name, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for name, content := range map[string]string{
		"not json": "{", "newer version": `{"version": 99}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.mpqc", "a.mpqc"} {
		w := New(filepath.Join(dir, name))
		if err := w.Save(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "empty.mpqc"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := Find(dir)
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
