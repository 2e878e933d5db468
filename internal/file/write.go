// Package file writes files atomically, and locks folders against a second process. What survives a crash of the
// program or the machine does so because of this package.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// temporarySuffix ends the names of files that are being written. Their names begin with a dot.
const temporarySuffix = ".tmp"

// Write replaces a file atomically. It writes to a temporary file in the same folder, flushes it to disk, renames it,
// and flushes the folder. Missing folders are created. After an error the old contents are still there. Errors name the
// path.
func Write(path string, write func(io.Writer) error) error {
	return WriteAfter(path, write, func() error { return nil })
}

// WriteAfter is Write that calls announce before the rename, when all data is on disk. An error of announce is returned
// as it is; the file is then not replaced.
func WriteAfter(path string, write func(io.Writer) error, announce func() error) error {
	refused := error(nil)
	err := replace(path, write, func() error {
		refused = announce()
		return refused
	})
	if err != nil && err != refused { //nolint:errorlint // whether it is that very error
		return fmt.Errorf("write %s: %w", path, plain(err))
	}
	return err
}

// WriteKeeping is Write that keeps the old file under the name before, in the same folder.
func WriteKeeping(path, before string, write func(io.Writer) error) error {
	return WriteAfter(path, write, func() error {
		if err := os.Rename(path, before); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep %s: %w", path, err)
		}
		return nil
	})
}

// WriteBytes is Write for data in memory.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// replace is WriteAfter without names in its errors.
func replace(path string, write func(io.Writer) error, announce func() error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	base := filepath.Base(path)
	// A name of its own length may be all that the file system takes.
	f, err := os.CreateTemp(dir, "."+base[:min(len(base), 64)]+".*"+temporarySuffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name()) // Sweep removes what this cannot
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil { // temporary files are private
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := announce(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// reason removes operation and path from a file error, because the message names the path itself.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// Temporary creates a temporary folder inside dir. remove deletes it with its contents. Sweep deletes it if the process
// was killed.
func Temporary(dir string) (path string, remove func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	if path, err = os.MkdirTemp(dir, ".*"+temporarySuffix); err != nil {
		return "", nil, err
	}
	return path, func() { _ = os.RemoveAll(path) }, nil
}

// plain removes the name of the temporary file from an error.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && strings.HasSuffix(p.Path, temporarySuffix) {
		return p.Err
	}
	return err
}

// syncDir makes a rename durable. Systems that cannot flush a folder may lose the rename, but no contents.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// Sweep removes temporary files and folders that killed writers left in dir and below. The caller must hold the lock of
// the folder, since files of other writers would be removed, too.
func Sweep(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); path == dir || !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, temporarySuffix) {
			return nil
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep %s: %w", dir, err)
	}
	return nil
}
