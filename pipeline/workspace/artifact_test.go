package workspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/quantize"
)

// filled is a workspace on disk with some artifacts.
func filled(t *testing.T, names ...string) *Workspace {
	t.Helper()
	w := New(filepath.Join(t.TempDir(), "m.mpqc"))
	for _, name := range names {
		if err := w.Write(name, []byte("content of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Save(); err != nil {
		t.Fatal(err)
	}
	return w
}

// opened is the workspace as another process finds it.
func opened(t *testing.T, w *Workspace) *Workspace {
	t.Helper()
	again, err := Open(w.dir)
	if err == nil {
		err = again.Resolve()
	}
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// overwrite changes a file behind the program's back.
func overwrite(t *testing.T, w *Workspace, name, content string) {
	t.Helper()
	if err := os.WriteFile(w.file(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamage: what is not as it was written is not read, and what nobody has hashed is.
func TestDamage(t *testing.T) {
	w := filled(t, "float.onnx", "search/4.0bit.json", "search/4.0bit.policy", "checkpoint.safetensors")
	for _, tc := range []struct {
		name    string
		damaged bool
	}{
		{"float.onnx", true}, {"search/4.0bit.json", true}, {"search/4.0bit.policy", false}, {"checkpoint.safetensors", false},
	} {
		for _, content := range []string{"", "content of float.onny", "content"} {
			overwrite(t, w, tc.name, content)
			data, err := opened(t, w).Read(tc.name)
			if damage := (*DamageError)(nil); errors.As(err, &damage) != tc.damaged || err == nil && string(data) != content {
				t.Errorf("%s with %q: %q, %v", tc.name, content, data, err)
			}
		}
	}
	if _, err := opened(t, w).Read("codes.safetensors"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.Remove(w.file("float.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.file("float.onnx"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(t, w).Read("float.onnx"); !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// TestKilledBetween: whether the process ends before or after a file is in place, what is there counts as whole, and
// nothing else does.
func TestKilledBetween(t *testing.T) {
	const name = "supernet.safetensors"
	for _, in := range []struct {
		name, content string
		whole         bool
	}{{"before", "content of " + name, true}, {"after", "new", true}, {"damaged", "now", false}} {
		w := filled(t, name)
		again := opened(t, w)
		if err := again.announce(name, sumOf(t, w, "new")); err != nil { // and the process is killed
			t.Fatal(err)
		}
		overwrite(t, w, name, in.content)
		for _, readOnly := range []bool{true, false} {
			next, err := Open(w.dir)
			if err == nil && !readOnly {
				err = next.Resolve()
			}
			if err != nil {
				t.Fatal(err)
			}
			next.ReadOnly = readOnly
			if _, err := next.Read(name); (err == nil) != in.whole {
				t.Errorf("%s, read-only %v: %v", in.name, readOnly, err)
			}
			if !readOnly && in.whole {
				if err := next.Settle(); err != nil {
					t.Fatal(err)
				}
				if a := opened(t, w).Manifest.Artifacts[name]; a.Next != "" || a.SHA256 != sumOf(t, w, in.content) {
					t.Errorf("%s: settled on %+v", in.name, a)
				}
			}
		}
	}
}

// sumOf is the hash of a text.
func sumOf(t *testing.T, w *Workspace, text string) string {
	t.Helper()
	overwrite(t, w, "text", text)
	sum, _, err := HashFile(w.file("text"))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestAnnouncesAlone: what is on record before a stage has ended is the hash of its file, nothing else of what the run
// knows.
func TestAnnouncesAlone(t *testing.T) {
	w := opened(t, filled(t, "float.onnx"))
	w.Manifest.Model.Name = "another one"
	if err := w.Write("float.onnx", []byte("new")); err != nil {
		t.Fatal(err)
	}
	now := opened(t, w)
	if now.Manifest.Model.Name != "" || now.Manifest.Artifacts["float.onnx"].SHA256 != sumOf(t, w, "new") {
		t.Errorf("on disk: %+v", now.Manifest)
	}
}

// TestOlderWorkspace: what a program left that knew no hashes can be read as it is, and is on record from the next
// writing on.
func TestOlderWorkspace(t *testing.T) {
	w := filled(t, "float.onnx", "search/4.0bit.json")
	w.Manifest.Artifacts = nil
	text, err := json.MarshalIndent(w.Manifest, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, w, manifestFile, string(text))
	if err := os.Remove(w.file(backupFile)); err != nil {
		t.Fatal(err)
	}
	overwrite(t, w, "float.onnx", "whatever")
	old := opened(t, w)
	if data, err := old.Read("float.onnx"); err != nil || string(data) != "whatever" {
		t.Errorf("%q, %v", data, err)
	}
	if err := old.Write("codes.safetensors", nil); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, w).Manifest.Artifacts; len(got) != 3 || got["search/4.0bit.json"].SHA256 == "" {
		t.Errorf("on record: %v", got)
	}
	overwrite(t, w, "float.onnx", "damaged")
	if _, err := opened(t, w).Read("float.onnx"); err == nil {
		t.Error("damage is not found")
	}
}

// TestManifestBits: whichever bit of a manifest flips, or where it is cut off, the backup takes its place; without one
// it is an error.
func TestManifestBits(t *testing.T) {
	w := filled(t, "float.onnx")
	whole, err := os.ReadFile(w.file(manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	open := func() error {
		again, err := Open(w.dir)
		if err != nil {
			return err
		}
		if d := cmp.Diff(w.Manifest, again.Manifest); d != "" {
			t.Error(d)
		}
		return again.Restored
	}
	for _, backup := range []bool{true, false} {
		for i := range whole {
			bad := bytes.Clone(whole)
			bad[i] ^= 1 << (i % 8)
			for k, content := range [][]byte{bad, whole[:i]} {
				if k == 1 && i%8 > 0 {
					continue
				}
				overwrite(t, w, manifestFile, string(content))
				if err := open(); err == nil {
					t.Fatalf("backup %v: byte %d changed or cut off, no error", backup, i)
				}
			}
		}
		if err := os.Remove(w.file(backupFile)); backup && err != nil {
			t.Fatal(err)
		}
	}
	overwrite(t, w, manifestFile, string(whole))
	if err := open(); err != nil {
		t.Error(err)
	}
}

// TestForeign: a manifest that describes other files is told from one file that is damaged.
func TestForeign(t *testing.T) {
	w := filled(t, "float.onnx", "import.json", "supernet.safetensors")
	overwrite(t, w, "import.json", "damaged")
	if err := opened(t, w).Foreign(); err != nil {
		t.Errorf("one damaged file: %v", err)
	}
	other := opened(t, filled(t))
	for _, name := range []string{"float.onnx", "import.json", "supernet.safetensors"} {
		if err := other.Write(name, []byte("other")); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(other.file(manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, w, "import.json", "content of import.json")
	overwrite(t, w, manifestFile, string(data))
	if err := opened(t, w).Foreign(); err == nil || !strings.Contains(err.Error(), backupFile+" describes them") {
		t.Errorf("the manifest of another workspace: %v", err)
	}
}

// TestFix: what is held to what it was can be written as that alone.
func TestFix(t *testing.T) {
	w := opened(t, filled(t, "float.onnx"))
	w.Fix("float.onnx", "codes.safetensors")
	overwrite(t, w, "float.onnx", "damaged")
	if err := w.Write("float.onnx", []byte("another one")); err == nil {
		t.Error("another file took its place")
	}
	if err := w.Write("float.onnx", []byte("content of float.onnx")); err != nil {
		t.Error(err)
	}
	if err := w.Write("codes.safetensors", nil); err != nil {
		t.Errorf("what was never there: %v", err)
	}
}

// list is a document whose length is that of the plan's layers.
type list struct {
	Numbers []int `json:"numbers"`
}

// Check implements Document.
func (l *list) Check(plan *quantize.Plan) error {
	if plan != nil && len(l.Numbers) != len(plan.Layers) {
		return errors.New("another length")
	}
	return nil
}

// TestDocuments: what does not fit the plan is damaged where nobody knows its hash, and else of another plan.
func TestDocuments(t *testing.T) {
	w := filled(t)
	if err := w.WriteJSON("front.json", list{[]int{1, 2}}); err != nil {
		t.Fatal(err)
	}
	one, two := &quantize.Plan{Layers: make([]quantize.Layer, 1)}, &quantize.Plan{Layers: make([]quantize.Layer, 2)}
	for _, tc := range []struct {
		name          string
		recorded      bool
		plan          *quantize.Plan
		fails, damage bool
	}{{"fits", true, two, false, false}, {"no plan", true, nil, false, false}, {"another plan", true, one, true, false}, {"no hash", false, one, true, true}} {
		again := opened(t, w)
		if !tc.recorded {
			again.Manifest.Artifacts = nil
		}
		err := again.ReadJSON("front.json", tc.plan, &list{})
		if damage := (*DamageError)(nil); (err != nil) != tc.fails || errors.As(err, &damage) != tc.damage {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := w.WriteSealed("report.json", list{[]int{1}}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(w.file("report.json"))
	if err != nil || w.ReadSealed("report.json", nil, &list{}) != nil {
		t.Errorf("%s, %v", data, err)
	}
	overwrite(t, w, "report.json", strings.Replace(string(data), "1", "2", 1))
	if err := w.ReadSealed("report.json", nil, &list{}); err == nil {
		t.Error("a sealed document that was changed")
	}
}
