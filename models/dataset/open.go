package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// formats describes what Open reads, for error messages.
const formats = "expected <split>/<class>/*.jpg|png, <class>/*.jpg|png, an IDX pair (images and labels, .gz too), CIFAR .bin files or an .npz file"

// Open reads the index of a data set: a folder, a .zip or a single file. Pictures are decoded later. Close the set when
// done.
func Open(name string, o Options) (*Set, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open data %s: %w", name, err)
	}
	src, err := openPath(name, o)
	if err != nil {
		return nil, fmt.Errorf("open data %s: %w", name, err)
	}
	return newSet(name, src, o)
}

// OpenFS is Open for the files of a file system; name is for messages.
func OpenFS(fsys fs.FS, name string, o Options) (*Set, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open data %s: %w", name, err)
	}
	src, err := openFiles(fsys)
	if err != nil {
		return nil, fmt.Errorf("open data %s: %w", name, err)
	}
	return newSet(name, src, o)
}

func openPath(name string, o Options) (*source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, reason(err)
	}
	if info.IsDir() {
		return openFiles(os.DirFS(name))
	}
	dir, base := os.DirFS(filepath.Dir(name)), filepath.Base(name)
	switch lower := strings.ToLower(base); {
	case strings.HasSuffix(lower, ".zip"):
		return openZip(name)
	case strings.HasSuffix(lower, ".npz"):
		return readNPZ(name, o.Input)
	case strings.HasSuffix(lower, ".bin"):
		return readCIFAR(dir, []string{base})
	case isIDXImages(base):
		return readIDX(dir, []string{base})
	default:
		return nil, fmt.Errorf("it is no data set; %s", formats)
	}
}

func openZip(name string) (*source, error) {
	z, err := openArchive(name)
	if err != nil {
		return nil, err
	}
	src, err := openFiles(z)
	if err != nil {
		return nil, errors.Join(err, z.Close())
	}
	src.close = z.Close
	return src, nil
}

// openFiles tells the format by the names of the files.
func openFiles(fsys fs.FS) (*source, error) {
	var idx, bin []string
	var pictures []fs.DirEntry
	var paths []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return reason(err)
		}
		base := path.Base(p)
		if p != "." && strings.HasPrefix(base, ".") || base == "__MACOSX" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case d.IsDir(), d.Type()&^fs.ModeSymlink != 0: // reading a pipe would wait for somebody to write to it
		case isPicture(base):
			pictures, paths = append(pictures, d), append(paths, p)
		case isIDXImages(base):
			idx = append(idx, p)
		case strings.HasSuffix(base, ".bin"):
			bin = append(bin, p)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(paths) > 0:
		return readPictures(fsys, paths, pictures)
	case len(idx) > 0:
		return readIDX(fsys, idx)
	case len(bin) > 0:
		return readCIFAR(fsys, bin)
	default:
		return nil, fmt.Errorf("there are no pictures in it; %s", formats)
	}
}

func isPicture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png":
		return true
	default:
		return false
	}
}

// splitName is the split that a folder's or file's name stands for, or "".
func splitName(name string) string {
	switch strings.ToLower(name) {
	case "train", "training":
		return Train
	case "val", "valid", "validation":
		return Val
	case "test", "testing", "t10k":
		return Test
	default:
		return ""
	}
}

// readAll reads a whole file of fsys.
func readAll(fsys fs.FS, name string) (b []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}

// reason drops operation and path from a file error: messages name the file themselves.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
