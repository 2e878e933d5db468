package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/pipeline/event"
)

// ErrLocked is the error of a run on a workspace that another process works in.
var ErrLocked = file.ErrLocked

// workspaceSuffix ends the name of every workspace folder.
const workspaceSuffix = ".mpqc"

// Workspace is a folder with the artifacts of one model. Files appear in it complete or not at all.
type Workspace struct {
	dir      string
	readOnly bool // nothing may be written
	Manifest Manifest
}

// WorkspaceFor is the folder that importing a model uses where none is given: the model's base name in the current
// folder.
func WorkspaceFor(model string) string {
	base := filepath.Base(model)
	return strings.TrimSuffix(base, filepath.Ext(base)) + workspaceSuffix
}

// FindWorkspaces lists the workspaces in a folder, by name.
func FindWorkspaces(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+workspaceSuffix))
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

// OpenWorkspace opens a folder that has a manifest. Its absence is fs.ErrNotExist.
func OpenWorkspace(dir string) (*Workspace, error) {
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return nil, fmt.Errorf("open workspace %s: %w", dir, err)
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("open workspace %s: %w", dir, err)
	}
	return &Workspace{dir: dir, Manifest: m}, nil
}

// newWorkspace is an empty workspace; its folder is made by the first write.
func newWorkspace(dir string) *Workspace {
	return &Workspace{dir: dir, Manifest: Manifest{Version: manifestVersion, Stages: map[string]StageState{}}}
}

// Path of a file in the workspace, by its parts.
func (w *Workspace) Path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// Write replaces a file of the workspace: temporary file, fsync, rename, fsync of the folder.
func (w *Workspace) Write(name string, data []byte) error {
	if w.readOnly {
		panic("pipeline: a job that only reads writes " + name)
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
	data, err := os.ReadFile(w.Path(filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	return nil
}

// save writes the manifest.
func (w *Workspace) save() error {
	w.Manifest.Version, w.Manifest.Mpqc = manifestVersion, Version()
	return w.WriteJSON("manifest.json", w.Manifest)
}

// finished reports whether a stage is done with this fingerprint and its artifact is still there.
func (w *Workspace) finished(stage event.Stage, fingerprint, artifact string) bool {
	s := w.Manifest.Stages[string(stage)]
	return s.Done && s.Fingerprint == fingerprint && w.has(artifact)
}

func (w *Workspace) has(artifact string) bool {
	_, err := os.Stat(w.Path(filepath.FromSlash(artifact)))
	return err == nil
}

// end records that a stage is done.
func (w *Workspace) end(stage event.Stage, fingerprint string, seconds float64, note string) error {
	w.Manifest.Stages[string(stage)] = StageState{
		ISA: w.isa(stage), Fingerprint: fingerprint, Done: true, Seconds: seconds, Finished: time.Now().UTC().Truncate(time.Second), Note: note,
	}
	return w.save()
}

// isa is the instruction set of this run, after those that a stage under way was computed with so far.
func (w *Workspace) isa(stage event.Stage) string {
	now := kernel.Active().String()
	s := w.Manifest.Stages[string(stage)]
	if s.Done || s.ISA == "" || slices.Contains(strings.Split(s.ISA, ", "), now) {
		return now
	}
	return s.ISA + ", " + now
}

// fingerprint hashes the JSON of its arguments.
func fingerprint(parts ...any) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, p := range parts {
		if err := enc.Encode(p); err != nil {
			return "", fmt.Errorf("fingerprint: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// hashFile is the SHA-256 of a file's content, in hex.
func hashFile(path string) (string, int64, error) { return hashUntil(context.Background(), path) }

// hashUntil is hashFile that ends with a context: models may have gigabytes.
func hashUntil(ctx context.Context, path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("hash: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	h := sha256.New()
	n, err := io.Copy(h, interruptible{ctx, f})
	if err != nil {
		return "", 0, fmt.Errorf("hash %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// interruptible is a reader that fails once its context has ended.
type interruptible struct {
	ctx context.Context //nolint:containedctx // lives as long as the call that makes it
	r   io.Reader
}

// Read implements io.Reader.
func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
