package file

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "a.json")
	if err := Write(path, func(w io.Writer) error { _, err := w.Write([]byte("one")); return err }); err != nil {
		t.Fatal(err)
	}
	want := errors.New("disk on fire")
	err := Write(path, func(w io.Writer) error {
		_, _ = w.Write([]byte("tw"))
		return want
	})
	if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
		t.Errorf("error is %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "one" {
		t.Errorf("file holds %q, %v", data, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v, %v", entries, err)
	}
}

// TestWriteNamesTheTarget: not the temporary file, whose name means nothing to a reader.
func TestWriteNamesTheTarget(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "folder"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := WriteBytes(filepath.Join(dir, "folder", "a.json"), []byte("x"))
	if err == nil || strings.Contains(err.Error(), temporarySuffix) || !strings.Contains(err.Error(), "a.json") {
		t.Errorf("error is %v", err)
	}
}

// TestTemporary: the folder goes with what is in it, by its owner or by Sweep.
func TestTemporary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	for _, how := range []string{"owner", "sweep"} {
		path, remove, err := Temporary(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteBytes(filepath.Join(path, "a.onnx"), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if how == "owner" {
			remove()
		} else if err := Sweep(dir); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s left %v, %v", how, left, err)
		}
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	if err := Sweep(filepath.Join(dir, "absent")); err != nil {
		t.Error(err)
	}
	for name, stays := range map[string]bool{
		".a.json.123.tmp": false, "sub/.b.onnx.9.tmp": false, "a.json": true, "sub/notes.tmp": true, "sub/.hidden": true,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := WriteBytes(path, nil); err != nil {
			t.Fatal(err)
		}
		if err := Sweep(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}
