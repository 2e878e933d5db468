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

// Artifact is what the manifest says of a file that a stage wrote.
type Artifact struct {
	SHA256 string `json:"sha256"`
	// Next is the hash of what was about to take the place of that. It is on record before it does so: whichever of both a
	// killed process leaves is whole.
	Next string `json:"next,omitempty"`
}

// is reports whether a hash is one that the file may have. What an older program wrote may have any.
func (a Artifact) is(sum string) bool { return a == Artifact{} || sum == a.SHA256 || sum == a.Next }

// DamageError says that a file of the workspace is not as it was written.
type DamageError struct {
	Path string
	Name string // in the workspace
	Err  error  // what is wrong

	Remedy string // how it is made anew, as a clause; "": nobody has said yet
}

// Error names the file, and the remedy where that is known.
func (e *DamageError) Error() string {
	text := fmt.Sprintf("%s is damaged: %v", e.Path, e.Err)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap is what is wrong.
func (e *DamageError) Unwrap() error { return e.Err }

// errOther is what is wrong with a file that has another hash than the one on record.
var errOther = errors.New("its SHA-256 is not the one in manifest.json")

// ErrChanged is what is wrong with a file that Fix holds and that comes out as another one.
var ErrChanged = errors.New("its SHA-256 is not the one in manifest.json, and made anew it would be another file than it was")

// Fix holds files to what they were: made anew, they must come out as they are on record.
func (w *Workspace) Fix(names ...string) {
	for _, name := range names {
		w.fixed[name] = true
	}
}

// recorded reports whether the manifest knows the hash of a file. Manifest and report carry their own, checkpoints as well;
// policies are people's to edit, pictures for people are never read, and what was imported from is the user's.
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

// Replace writes a file of the workspace: temporary file, fsync, rename, fsync of the folder. Its hash is on record before it is there.
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

// announce puts the hash of a file that is about to be replaced on record. Nothing else of what this process knows is: that is for Save.
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

// Settle leaves one hash per file on record.
func (w *Workspace) Settle() error {
	if w.disk == nil || !w.unsettled && w.Restored == nil {
		return nil
	}
	w.disk.Artifacts = maps.Clone(w.Manifest.Artifacts)
	return w.store(*w.disk)
}

// adopt takes the files that an older program left as they are.
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

// Resolve finds out which of two contents a killed process left.
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

// Read returns what is in a file of the workspace. It is a DamageError if that has another hash than what is on record.
func (w *Workspace) Read(name string) (data []byte, err error) {
	err = w.Scan(name, func(r io.Reader, size int64) error {
		data = make([]byte, size)
		_, err := io.ReadFull(r, data)
		return err
	})
	return data, err
}

// Scan hands a file of the workspace and its size to a reader, whose error counts for less than that of a hash that is not the one on
// record. A file that this process wrote or looked at before is not hashed again.
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

// expects reports whether a hash is the one on record. A job that only reads may have opened the workspace before another one went on with it.
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

// Verify reads a file of the workspace for its hash alone.
func (w *Workspace) Verify(name string) error {
	if w.known[name] != "" {
		return nil
	}
	return w.Scan(name, func(io.Reader, int64) error { return nil })
}

// Sum is the hash of a file of the workspace as it is.
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

// Misfits lists the files whose hash is not the one on record, and says how many are as they should be. Files that are not there count for
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

// Foreign says that the manifest describes other files than those that are there, nil if it does not.
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

// file is where a file of the workspace lies.
func (w *Workspace) file(name string) string { return w.Path(filepath.FromSlash(name)) }
