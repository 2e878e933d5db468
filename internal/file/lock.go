package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrLocked is the error of a folder that another process has locked.
var ErrLocked = errors.New("in use by another process")

// lockName is the file in a locked folder. It stays there between runs. The lock itself is the system's, on the open
// file, and ends with the process.
const lockName = "lock"

// Lock is a folder's lock, held until Unlock or the end of the process.
type Lock struct {
	dir  string
	f    *os.File // nil if the file system has no locks
	made []string // folders that Acquire made, outermost first
	own  bool     // Acquire made the lock file
}

// Acquire locks a folder, which it creates if needed. If another process has locked it, the error wraps ErrLocked and
// names that process.
func Acquire(dir string) (*Lock, error) {
	dir = filepath.Clean(dir)
	made, err := makeFolders(dir)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, reason(err))
	}
	l, err := acquire(dir)
	if err != nil {
		removeEmpty(made)
		return nil, err
	}
	l.made = made
	return l, nil
}

// acquire is Acquire for a folder that exists.
func acquire(dir string) (*Lock, error) {
	for {
		f, own, err := openLock(filepath.Join(dir, lockName))
		if err != nil {
			return nil, fmt.Errorf("write to %s: %w", dir, reason(err))
		}
		err = lockFile(f)
		switch {
		case errors.Is(err, errors.ErrUnsupported): // some network file systems
			return &Lock{dir: dir}, f.Close()
		case errors.Is(err, ErrLocked):
			err = fmt.Errorf("%s is %w%s", dir, ErrLocked, holder(f))
			return nil, errors.Join(err, f.Close())
		case err != nil:
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
		}
		if current(f) {
			sign(f)
			return &Lock{dir: dir, f: f, own: own}, nil
		}
		if err := f.Close(); err != nil { // another process has just removed the file: try the next one
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
	}
}

// signature is the beginning of what is written into a lock file.
const signature = "process "

// openLock opens or creates the lock file of a folder; own says that it created it. It neither follows nor writes to
// what else has that name, such as a link or a file of the user's.
func openLock(path string) (f *os.File, own bool, err error) {
	refuse := func(what string) error {
		return fmt.Errorf("%s is %s and no lock of this program: remove it or choose another folder", path, what)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeType != 0 {
		return nil, false, refuse("no regular file")
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|nofollow, 0o644)
	if own = err == nil; errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|nofollow, 0o644)
	}
	if err != nil {
		return nil, false, err
	}
	there, err := os.Lstat(path)
	mine, statErr := f.Stat()
	switch {
	case err != nil || statErr != nil: // removed by its holder: the caller finds out
		return f, own, nil
	case !there.Mode().IsRegular() || !mine.Mode().IsRegular():
		return nil, false, errors.Join(refuse("no regular file"), f.Close())
	case mine.Size() > 0 && !signed(f):
		return nil, false, errors.Join(refuse("a file of something else"), f.Close())
	}
	return f, own, nil
}

// signed reports whether a file holds what sign writes.
func signed(f *os.File) bool {
	text := make([]byte, len(signature))
	n, err := f.ReadAt(text, 0)
	// On Windows a lock keeps others from reading.
	return string(text[:n]) == signature || err != nil && !errors.Is(err, io.EOF)
}

// makeFolders is os.MkdirAll that returns the folders it made.
func makeFolders(dir string) (made []string, err error) {
	err = os.Mkdir(dir, 0o755)
	if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if made, err = makeFolders(parent); err == nil {
			err = os.Mkdir(dir, 0o755)
		}
	}
	if err == nil {
		return append(made, dir), nil
	}
	if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
		return made, nil
	}
	removeEmpty(made)
	return nil, err
}

// removeEmpty removes the empty ones of these folders, the innermost first.
func removeEmpty(made []string) {
	for i := len(made) - 1; i >= 0; i-- {
		if err := os.Remove(made[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
}

// current reports whether an open lock file is still the one in its folder.
func current(f *os.File) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(f.Name())
	return err == nil && os.SameFile(mine, there)
}

// sign writes this process into a lock file, for messages only. A full disk must not keep anybody from reading, so
// errors are ignored.
func sign(f *os.File) {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	text := fmt.Sprintf(signature+"%d on %s since %s\n", os.Getpid(), host, time.Now().Format("2006-01-02 15:04:05"))
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(text), 0)
	}
}

// holder returns what sign wrote, preceded by ": ".
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 256))
	if who := strings.TrimSpace(string(text)); err == nil && who != "" {
		return ": " + who
	}
	return ""
}

// Unlock releases the folder. If it holds nothing but the lock, it is removed, with empty parents that Acquire made.
func (l *Lock) Unlock() {
	if l.f == nil {
		return
	}
	if entries, err := os.ReadDir(l.dir); err == nil && len(entries) == 1 {
		_ = os.Remove(l.f.Name())
		_ = os.Remove(l.dir)
		removeEmpty(l.made)
	}
	_ = l.f.Close() // releases the lock, as the end of the process would
}

// Discard is Unlock that also removes what was written under the lock. If Acquire made the folder, it is removed with
// all contents; otherwise only the lock file is removed, if Acquire made that.
func (l *Lock) Discard() {
	if n := len(l.made); n > 0 && l.f != nil && l.made[n-1] == l.dir {
		if entries, err := os.ReadDir(l.dir); err == nil {
			for _, e := range entries {
				if e.Name() != lockName { // which goes last, so that nobody gets a lock before
					_ = os.RemoveAll(filepath.Join(l.dir, e.Name()))
				}
			}
		}
	} else if l.own {
		_ = os.Remove(l.f.Name())
	}
	l.Unlock()
}
