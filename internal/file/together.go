package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// Together calls write, which replaces several files of one folder that belong together. If it fails, earlier contents
// are restored and new files removed.
func Together(paths []string, write func() error) error {
	if len(paths) == 0 {
		return write()
	}
	kept, remove, err := Temporary(filepath.Dir(paths[0]))
	if err != nil {
		return err
	}
	defer remove()
	var earlier []bool
	for i, path := range paths {
		// A second name costs nothing, and the file stays in place for whoever is killed meanwhile.
		err := os.Link(path, filepath.Join(kept, strconv.Itoa(i)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			err = copyFile(path, filepath.Join(kept, strconv.Itoa(i)))
			if err != nil {
				return err
			}
		}
		earlier = append(earlier, err == nil)
	}
	failed := write()
	if failed == nil {
		return nil
	}
	for i, path := range paths {
		var err error
		if earlier[i] {
			err = os.Rename(filepath.Join(kept, strconv.Itoa(i)), path)
		} else if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// copyFile stands in for hard links on file systems without them.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
