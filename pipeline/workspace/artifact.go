package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/file"
)

// Artifact is the record of a file that a stage wrote.
type Artifact struct {
	SHA256 string `json:"sha256"`
	// Next is the hash of the contents that were about to replace the file. It is recorded before the replacement, so
	// that either contents that a killed process leaves are known to be whole.
	Next string `json:"next,omitempty"`
}

// is reports whether the file may have a hash. A file of an older program, without record, may have any.
func (a Artifact) is(sum string) bool { return a == Artifact{} || sum == a.SHA256 || sum == a.Next }

// DamageError says that a file of the workspace is not as it was written.
type DamageError struct {
	Path string
	Name string // in the workspace
	Err  error  // what is wrong

	Remedy string // how to make it again, as a clause; "": not known yet
}

// Error names the file and, if known, the remedy.
func (e *DamageError) Error() string {
	text := fmt.Sprintf("%s is damaged: %v", e.Path, e.Err)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns Err.
func (e *DamageError) Unwrap() error { return e.Err }

// errOther is wrapped if the hash of a file differs from its record.
var errOther = errors.New("its SHA-256 is not the one in manifest.json")

// ErrChanged is wrapped if a file that Fix protects would be made again with other contents.
var ErrChanged = errors.New("its SHA-256 is not the one in manifest.json, and made anew it would be another file than it was")

// Fix protects files: if they are made again, their contents must have the recorded hash.
func (w *Workspace) Fix(names ...string) {
	for _, name := range names {
		w.fixed[name] = true
	}
}

// recorded reports whether the manifest records the hash of a file. Manifest, report and checkpoints carry their own.
// Policies are for people to edit, images are never read, and the imported file belongs to the user.
func recorded(name string) bool {
	base := path.Base(name)
	switch path.Ext(name) {
	case ".json":
		return base != manifestFile && base != backupFile && base != "report.json"
	case ".safetensors":
		return !strings.HasSuffix(base, "checkpoint.safetensors") && !strings.HasSuffix(base, "checkpoint.before.safetensors")
	case ".onnx", ".data", ".encodings":
		return true
	}
	return false
}

// Replace writes a file of the workspace atomically and durably. Its hash is recorded before it is in place. It panics
// in a read-only workspace.
func (w *Workspace) Replace(name string, content func(io.Writer) error) error {
	if w.ReadOnly {
		panic("workspace: a job that only reads writes " + name)
	}
	if !recorded(name) {
		return file.Write(w.file(name), content)
	}
	h := sha256.New()
	sum := ""
	err := file.WriteAfter(w.file(name), func(f io.Writer) error { return content(io.MultiWriter(f, h)) }, func() error {
		sum = hex.EncodeToString(h.Sum(nil))
		return w.announce(name, sum)
	})
	if err != nil {
		return err
	}
	w.Manifest.Artifacts[name], w.known[name] = Artifact{SHA256: sum}, sum
	return nil
}

// announce records the hash of a file that is about to be replaced. Other changes of the manifest wait for Save.
func (w *Workspace) announce(name, sum string) error {
	if err := w.adopt(); err != nil {
		return err
	}
	was := w.Manifest.Artifacts[name]
	if w.fixed[name] && !was.is(sum) {
		return &DamageError{Path: w.file(name), Name: name, Err: ErrChanged}
	}
	if was.SHA256 == sum || w.disk == nil {
		return nil
	}
	if was.SHA256 == "" {
		was = Artifact{SHA256: sum}
	} else {
		was = Artifact{was.SHA256, sum}
	}
	w.disk.Artifacts = maps.Clone(w.Manifest.Artifacts)
	w.disk.Artifacts[name] = was
	w.unsettled = true
	return w.write(manifestFile, *w.disk)
}

// Settle reduces the record of each file to one hash.
func (w *Workspace) Settle() error {
	if w.disk == nil || !w.unsettled && w.Restored == nil {
		return nil
	}
	w.disk.Artifacts = maps.Clone(w.Manifest.Artifacts)
	return w.store(*w.disk)
}

// adopt records the files that an older program left, as they are.
func (w *Workspace) adopt() error {
	if w.Manifest.Artifacts != nil {
		return nil
	}
	w.Manifest.Artifacts = map[string]Artifact{}
	for _, folder := range []string{".", "search", "scores", "out"} {
		entries, err := os.ReadDir(w.file(folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			name := path.Join(folder, e.Name())
			if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || !recorded(name) {
				continue
			}
			sum, err := w.Sum(name)
			if err != nil {
				return err
			}
			w.Manifest.Artifacts[name] = Artifact{SHA256: sum}
		}
	}
	return nil
}

// Resolve finds out which of two recorded contents a killed process left.
func (w *Workspace) Resolve() error {
	for name, a := range w.Manifest.Artifacts {
		if a.Next == "" {
			continue
		}
		sum, err := w.Sum(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			sum = a.SHA256
		case err != nil:
			return err
		case !a.is(sum):
			continue // damaged: whoever reads it says so
		}
		w.Manifest.Artifacts[name], w.unsettled = Artifact{SHA256: sum}, true
	}
	return nil
}

// Read returns the contents of a file. It is a *DamageError if the hash differs from the record.
func (w *Workspace) Read(name string) (data []byte, err error) {
	err = w.Scan(name, func(r io.Reader, size int64) error {
		data = make([]byte, size)
		_, err := io.ReadFull(r, data)
		return err
	})
	return data, err
}

// Scan passes a file and its size to read. It is a *DamageError if the hash differs from the record; this error takes
// precedence over that of read. A file that this process wrote or read before is not hashed again.
func (w *Workspace) Scan(name string, read func(r io.Reader, size int64) error) error {
	info, err := os.Stat(w.file(name)) // opening a pipe would wait for somebody to write to it
	if err == nil && !info.Mode().IsRegular() {
		return &DamageError{Path: w.file(name), Name: name, Err: errors.New("it is no regular file")}
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(w.file(name))
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer func() { _ = f.Close() }() // only read
	if w.known[name] != "" || !recorded(name) {
		return read(f, info.Size())
	}
	h := sha256.New()
	failed := read(io.TeeReader(f, h), info.Size())
	if _, err := io.Copy(h, f); err != nil { // what the reader left
		return fmt.Errorf("read %s: %w", w.file(name), err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if !w.expects(name, sum) {
		return &DamageError{Path: w.file(name), Name: name, Err: errOther}
	}
	w.known[name] = sum
	return failed
}

// expects reports whether a hash is the recorded one. A read-only job also looks at the manifest on disk, because
// another job may have gone on with the workspace.
func (w *Workspace) expects(name, sum string) bool {
	if w.Manifest.Artifacts[name].is(sum) {
		return true
	}
	if !w.ReadOnly {
		return false
	}
	now, err := Open(w.dir)
	return err == nil && now.Manifest.Artifacts[name].is(sum)
}

// Verify checks the hash of a file. It is a *DamageError if it differs from the record.
func (w *Workspace) Verify(name string) error {
	if w.known[name] != "" {
		return nil
	}
	return w.Scan(name, func(io.Reader, int64) error { return nil })
}

// Sum returns the present hash of a file.
func (w *Workspace) Sum(name string) (string, error) {
	if sum := w.known[name]; sum != "" {
		return sum, nil
	}
	if info, err := os.Stat(w.file(name)); err == nil && !info.Mode().IsRegular() {
		return "", &DamageError{Path: w.file(name), Name: name, Err: errors.New("it is no regular file")}
	}
	sum, _, err := HashFile(w.file(name))
	if err == nil && w.Manifest.Artifacts[name].is(sum) {
		w.known[name] = sum
	}
	return sum, err
}

// Misfits lists the files whose hash differs from the record, and counts those that fit. Missing files count for
// neither.
func (w *Workspace) Misfits() (misfits []string, fit int) {
	for _, name := range slices.Sorted(maps.Keys(w.Manifest.Artifacts)) {
		switch sum, err := w.Sum(name); {
		case err != nil:
		case w.Manifest.Artifacts[name].is(sum):
			fit++
		default:
			misfits = append(misfits, name)
		}
	}
	return misfits, fit
}

// Foreign is an error if the manifest seems to describe other files than those present: most hashes differ. Else it is
// nil.
func (w *Workspace) Foreign() error {
	misfits, fit := w.Misfits()
	if len(misfits) < 2 || len(misfits) <= fit {
		return nil
	}
	err := fmt.Errorf("%s does not describe the files beside it: %d of %d have other hashes, such as %s; it is that of another workspace, or these are",
		w.file(manifestFile), len(misfits), len(misfits)+fit, misfits[0])
	if own, failed := openFile(w.dir, backupFile); failed == nil {
		if misfits, fit := own.Misfits(); len(misfits) == 0 && fit > 0 {
			return fmt.Errorf("%w; %s describes them: copy that in its place", err, w.file(backupFile))
		}
	}
	return fmt.Errorf("%w; begin anew in another one with --workspace DIR", err)
}

// file returns the path of a file of the workspace.
func (w *Workspace) file(name string) string { return w.Path(filepath.FromSlash(name)) }
