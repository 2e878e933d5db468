//go:build unix

package file

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// within fails a test whose call does not return soon.
func within(t *testing.T, name string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s hangs", name)
	}
}

// TestIrregular: what could be read for ever is refused at once, links to it included.
func TestIrregular(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = l.Close() }()
	for _, link := range [][2]string{{"pipe", "to-pipe"}, {"/dev/zero", "to-device"}, {"loop", "loop"}} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"pipe": "a pipe", "to-pipe": "a pipe", "socket": "a socket", "/dev/zero": "a device", "to-device": "a device", "loop": "too many levels",
	} {
		within(t, path, func() {
			if _, err := Read(path, 1<<20); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
		})
	}
}

// TestLockInTheWay: what stands in the place of a lock and is none keeps its content, and so does what a link leads to.
func TestLockInTheWay(t *testing.T) {
	const precious = "what took years to write\n"
	for name, place := range map[string]func(path, victim string) error{
		"link":          func(path, victim string) error { return os.Symlink(victim, path) },
		"broken link":   func(path, victim string) error { return os.Symlink(victim+".new", path) },
		"link to lock":  func(path, _ string) error { return os.Symlink(path, path) },
		"hard link":     func(path, victim string) error { return os.Link(victim, path) },
		"file":          func(path, _ string) error { return os.WriteFile(path, []byte(precious), 0o600) },
		"pipe":          func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
		"device":        func(path, _ string) error { return os.Symlink("/dev/null", path) },
		"folder":        func(path, _ string) error { return os.Mkdir(path, 0o700) },
		"unlike a lock": func(path, _ string) error { return os.WriteFile(path, []byte("proc"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			victim, lock := filepath.Join(dir, "victim"), filepath.Join(dir, "m.mpqc", lockName)
			if err := errors.Join(os.WriteFile(victim, []byte(precious), 0o600), os.Mkdir(filepath.Dir(lock), 0o700), place(lock, victim)); err != nil {
				t.Fatal(err)
			}
			within(t, name, func() {
				l, err := Acquire(filepath.Dir(lock))
				if err == nil {
					l.Unlock()
				}
				if err == nil || !strings.Contains(err.Error(), lock) || !strings.Contains(err.Error(), "no lock of this program") {
					t.Errorf("error %v", err)
				}
			})
			if left, err := os.ReadFile(victim); err != nil || string(left) != precious {
				t.Errorf("the victim holds %q, %v", left, err)
			}
			if _, err := os.Lstat(victim + ".new"); err == nil {
				t.Error("a file was made behind a link")
			}
			if _, err := os.Lstat(lock); err != nil {
				t.Errorf("what stood there is gone: %v", err)
			}
		})
	}
}

// TestMadeFolders: what Acquire made goes away with an unused or discarded workspace, and nothing else does.
func TestMadeFolders(t *testing.T) {
	for _, tc := range []struct {
		name, dir      string
		before         string // a folder that is there
		write, discard bool
		left           string // the outermost folder that stays, "" for none
	}{
		{"nothing written", "a/b/c", "", false, false, ""},
		{"written", "a/b/c", "", true, false, "a/b/c"},
		{"discarded", "a/b/c", "", true, true, ""},
		{"discarded, trailing slash", "a/b/c/", "", true, true, ""},
		{"discarded, some were there", "a/b/c", "a", true, true, "a"},
		{"discarded, all were there", "a/b/c", "a/b/c", true, true, "a/b/c/file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if tc.before != "" {
				if err := os.MkdirAll(tc.before, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			l, err := Acquire(tc.dir)
			if err != nil {
				t.Fatal(err)
			}
			lock := filepath.Join(tc.dir, lockName)
			if tc.write {
				if err := WriteBytes(filepath.Join(tc.dir, "file"), nil); err != nil {
					t.Fatal(err)
				}
			}
			if tc.discard {
				l.Discard()
			} else {
				l.Unlock()
			}
			if _, err := os.Stat(lock); (err == nil) != (tc.write && !tc.discard) {
				t.Errorf("the lock file: %v", err)
			}
			for _, p := range []string{"a", "a/b", "a/b/c", "a/b/c/file"} {
				_, err := os.Stat(p)
				if want := strings.HasPrefix(tc.left, p) || tc.write && !tc.discard; (err == nil) != want {
					t.Errorf("%s: %v, want it there: %v", p, err, want)
				}
			}
		})
	}
}
