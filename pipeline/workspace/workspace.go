// Package workspace holds all that is known of one model: a folder with the artifacts of the stages, and a manifest of
// what they were made from. Every file is complete or does not exist.
package workspace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/quantize"
)

// suffix ends the name of every workspace folder.
const suffix = ".mpqc"

// Workspace is a folder with the artifacts of one model.
type Workspace struct {
	Manifest Manifest
	Program  string // version that writes the manifest; "": keep the recorded one
	ReadOnly bool   // nothing may be written
	Restored error  // why the manifest was replaced by its backup; nil: it was not

	dir       string
	disk      *Manifest         // as it is on disk; nil: there is none
	known     map[string]string // hashes of files that this process has read or written
	fixed     map[string]bool   // see Fix
	unsettled bool              // two hashes of a file are recorded
}

// For returns the folder that importing a model uses by default: the model's base name in the current folder.
func For(model string) string {
	base := filepath.Base(model)
	return strings.TrimSuffix(base, filepath.Ext(base)) + suffix
}

// Find lists the workspaces in a folder by name.
func Find(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	paths = slices.DeleteFunc(paths, func(p string) bool {
		return !Is(p)
	})
	slices.Sort(paths)
	return paths, nil
}

const (
	manifestFile = "manifest.json"
	// backupFile is the manifest as it was last saved, in case that is damaged: a training is useless without it.
	backupFile = "manifest.backup.json"
)

// Is reports whether a folder is a workspace.
func Is(dir string) bool {
	return slices.ContainsFunc([]string{manifestFile, backupFile}, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
}

// Open opens a workspace. A damaged or missing manifest is replaced by its backup: see Restored. The error wraps
// fs.ErrNotExist if there is neither.
func Open(dir string) (*Workspace, error) {
	w, err := openFile(dir, manifestFile)
	if err == nil || errors.Is(err, fs.ErrPermission) || errors.Is(err, errNewer) {
		return w, err
	}
	backup, failed := openFile(dir, backupFile)
	if failed == nil {
		backup.Restored = err
		return backup, nil
	}
	if errors.Is(failed, fs.ErrNotExist) && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; bring it back from a copy, or begin anew in another one with --workspace DIR", err)
	}
	return nil, err
}

// openFile opens a workspace by one of its manifests.
func openFile(dir, name string) (*Workspace, error) {
	data, err := file.Read(filepath.Join(dir, name), file.TextMost)
	if err != nil {
		return nil, fmt.Errorf("open workspace %s: %w", dir, err)
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("open workspace %s: %s: %w", dir, name, err)
	}
	disk, err := parseManifest(data) // shares nothing with what a run changes
	return &Workspace{dir: dir, Manifest: m, disk: &disk, known: map[string]string{}, fixed: map[string]bool{}}, err
}

// New returns an empty workspace. The first write creates its folder.
func New(dir string) *Workspace {
	m := Manifest{Version: manifestVersion, Stages: map[string]StageState{}, Artifacts: map[string]Artifact{}}
	return &Workspace{dir: dir, Manifest: m, known: map[string]string{}, fixed: map[string]bool{}}
}

// Dir is the folder.
func (w *Workspace) Dir() string { return w.dir }

// Path returns the path of a file in the workspace from its parts.
func (w *Workspace) Path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// Write replaces a file of the workspace by data.
func (w *Workspace) Write(name string, data []byte) error {
	return w.Replace(name, func(f io.Writer) error {
		_, err := f.Write(data)
		return err
	})
}

// Stamp identifies the contents of a file of the workspace, by its hash.
func (w *Workspace) Stamp(name string) (string, error) {
	sum, _, err := HashFile(w.Path(filepath.FromSlash(name)))
	return sum, err
}

// Save writes the manifest and its backup.
func (w *Workspace) Save() error {
	w.Manifest.Version = manifestVersion
	if w.Program != "" {
		w.Manifest.Mpqc = w.Program
	}
	if err := w.adopt(); err != nil {
		return err
	}
	return w.store(w.Manifest)
}

// store writes a manifest and its backup.
func (w *Workspace) store(m Manifest) error {
	for _, name := range []string{manifestFile, backupFile} {
		if err := w.write(name, m); err != nil {
			return err
		}
	}
	w.unsettled, w.Restored = false, nil
	return nil
}

// write writes a manifest under a name and remembers it as disk.
func (w *Workspace) write(name string, m Manifest) error {
	data, err := seal(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	if err := w.Write(name, data); err != nil {
		return err
	}
	disk, err := parseManifest(data)
	w.disk = &disk
	return err
}

// ReadOptional is ReadJSON of a file that may be missing. v then stays unchanged.
func (w *Workspace) ReadOptional(name string, plan *quantize.Plan, v Document) error {
	err := w.ReadJSON(name, plan, v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Remove deletes artifacts and their records. Missing ones are skipped. It panics in a read-only workspace.
func (w *Workspace) Remove(names ...string) error {
	if w.ReadOnly {
		panic("workspace: a job that only reads removes " + strings.Join(names, ", "))
	}
	for _, n := range names {
		if err := os.Remove(w.Path(filepath.FromSlash(n))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", n, err)
		}
		delete(w.Manifest.Artifacts, n)
		delete(w.known, n)
	}
	return nil
}

// FileName makes a name, such as that of a target, part of a file name.
func FileName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, name)
}
