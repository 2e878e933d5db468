package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRead: regular files up to a size are read, everything else is refused by a message that says what it is.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, n := range map[string]int{"empty": 0, "small": 10, "exact": 100, "large": 101} {
		if err := os.WriteFile(name, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, path string
		n          int
		want       string // of the error
	}{
		{"empty", "empty", 0, ""},
		{"small", "small", 10, ""},
		{"as many as may be", "exact", 100, ""},
		{"too many", "large", 0, "it has 101 bytes, more than the 100 that are read"},
		{"folder", ".", 0, "not a regular file but a folder"},
		{"dash", "-", 0, "standard input is not read"},
		{"standard input", "/dev/stdin", 0, "standard input is not read"},
		{"descriptor", "/dev/fd/0", 0, "standard input is not read"},
	} {
		data, err := Read(tc.path, 100)
		if len(data) != tc.n || (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %d bytes, error %v, want %q", tc.name, len(data), err, tc.want)
		}
	}
	if _, err := Read("missing", 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile("-", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := Read(filepath.Join(dir, "-"), 1); err != nil || len(data) != 1 {
		t.Errorf("a file of that name by its path: %v", err)
	}
}
