package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrLocked is the error of a folder that another process has locked.
var ErrLocked = errors.New("in use by another process")

// lockName is the file in a locked folder. It stays there between runs: the lock is the system's, on the open file, and
// ends with the process however that ends.
const lockName = "lock"

// Lock is a folder's lock, held until Unlock or the end of the process.
type Lock struct {
	dir string
	f   *os.File // nil where the file system knows no locks
}

// Acquire locks a folder, which it makes where there is none. Where another process has it, the error is ErrLocked and
// says which.
func Acquire(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, reason(err))
	}
	for {
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
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
			return &Lock{dir, f}, nil
		}
		if err := f.Close(); err != nil { // another process has just removed the file: try the next one
			return nil, fmt.Errorf("lock %s: %w", dir, err)
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

// sign writes into a lock whose it is. That is for messages alone: a full disk must not keep anybody from reading.
func sign(f *os.File) {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	text := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, time.Now().Format("2006-01-02 15:04:05"))
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(text), 0)
	}
}

// holder is what sign wrote, ": " before it.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 256))
	if who := strings.TrimSpace(string(text)); err == nil && who != "" {
		return ": " + who
	}
	return ""
}

// Unlock lets go of the folder. A folder that holds nothing but the lock goes away.
func (l *Lock) Unlock() {
	if l.f == nil {
		return
	}
	if entries, err := os.ReadDir(l.dir); err == nil && len(entries) == 1 {
		_ = os.Remove(l.f.Name())
		_ = os.Remove(l.dir)
	}
	_ = l.f.Close() // releases the lock, as the end of the process would
}
