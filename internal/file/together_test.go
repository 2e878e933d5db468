package file

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestTogether(t *testing.T) {
	wrong := errors.New("disk full")
	for _, c := range []struct {
		name    string
		earlier []string // files that are there before
		written []string // files that are written before it ends
		end     error
		want    map[string]string
	}{
		{"done", []string{"a"}, []string{"a", "b"}, nil, map[string]string{"a": "new", "b": "new"}},
		{"nothing before", nil, []string{"a", "b"}, wrong, map[string]string{}},
		{"one before", []string{"a"}, []string{"b", "a"}, wrong, map[string]string{"a": "old"}},
		{"both before", []string{"a", "b"}, []string{"b"}, wrong, map[string]string{"a": "old", "b": "old"}},
		{"nothing written", []string{"a"}, nil, wrong, map[string]string{"a": "old"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range c.earlier {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := Together([]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}, func() error {
				for _, name := range c.written {
					if err := WriteBytes(filepath.Join(dir, name), []byte("new")); err != nil {
						return err
					}
				}
				return c.end
			})
			if !errors.Is(err, c.end) {
				t.Errorf("error %v", err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != len(c.want) {
				t.Errorf("%v, %v left, want %v", entries, err, c.want)
			}
			for name, want := range c.want {
				if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != want {
					t.Errorf("%s holds %q, %v", name, data, err)
				}
			}
		})
	}
}
