// Package workspace holds what is known of one model: a folder with the artifacts of the stages, each complete or not there at all, and a
// manifest of what they were made from.
package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/file"
)

// suffix ends the name of every workspace folder.
const suffix = ".mpqc"

// Workspace is a folder with the artifacts of one model. Files appear in it complete or not at all.
type Workspace struct {
	Manifest Manifest
	Program  string // version of the one that writes the manifest; "": what it says stays
	ReadOnly bool   // nothing may be written

	dir string
}

// For is the folder that importing a model uses where none is given: the model's base name in the current
// folder.
func For(model string) string {
	base := filepath.Base(model)
	return strings.TrimSuffix(base, filepath.Ext(base)) + suffix
}

// Find lists the workspaces in a folder, by name.
func Find(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	paths = slices.DeleteFunc(paths, func(p string) bool {
		_, err := os.Stat(filepath.Join(p, "manifest.json"))
		return err != nil
	})
	slices.Sort(paths)
	return paths, nil
}

// Open opens a folder that has a manifest. Its absence is fs.ErrNotExist.
func Open(dir string) (*Workspace, error) {
	data, err := file.Read(filepath.Join(dir, "manifest.json"), file.TextMost)
	if err != nil {
		return nil, fmt.Errorf("open workspace %s: %w", dir, err)
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("open workspace %s: %w", dir, err)
	}
	return &Workspace{dir: dir, Manifest: m}, nil
}

// New is an empty workspace; its folder is made by the first write.
func New(dir string) *Workspace {
	return &Workspace{dir: dir, Manifest: Manifest{Version: manifestVersion, Stages: map[string]StageState{}}}
}

// Dir is the folder.
func (w *Workspace) Dir() string { return w.dir }

// Path of a file in the workspace, by its parts.
func (w *Workspace) Path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// Write replaces a file of the workspace: temporary file, fsync, rename, fsync of the folder.
func (w *Workspace) Write(name string, data []byte) error {
	if w.ReadOnly {
		panic("workspace: a job that only reads writes " + name)
	}
	return file.WriteBytes(w.Path(filepath.FromSlash(name)), data)
}

// WriteJSON replaces a file by indented JSON.
func (w *Workspace) WriteJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return w.Write(name, append(data, '\n'))
}

// ReadJSON decodes a file of the workspace.
func (w *Workspace) ReadJSON(name string, v any) error {
	data, err := file.Read(w.Path(filepath.FromSlash(name)), file.TextMost)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	return nil
}

// Stamp tells a file of the workspace from the one that takes its place.
func (w *Workspace) Stamp(name string) (string, error) {
	sum, _, err := HashFile(w.Path(filepath.FromSlash(name)))
	return sum, err
}

// Save writes the manifest.
func (w *Workspace) Save() error {
	w.Manifest.Version = manifestVersion
	if w.Program != "" {
		w.Manifest.Mpqc = w.Program
	}
	return w.WriteJSON("manifest.json", w.Manifest)
}

// ReadOptional is ReadJSON of a file that need not be there: then v stays as it is.
func (w *Workspace) ReadOptional(name string, v any) error {
	err := w.ReadJSON(name, v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Remove deletes artifacts that no longer belong to what is in the workspace, those that are there.
func (w *Workspace) Remove(names ...string) error {
	if w.ReadOnly {
		panic("workspace: a job that only reads removes " + strings.Join(names, ", "))
	}
	for _, n := range names {
		if err := os.Remove(w.Path(filepath.FromSlash(n))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", n, err)
		}
	}
	return nil
}
