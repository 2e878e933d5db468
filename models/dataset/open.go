package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/memory"
)

// formats describes what Open reads, for error messages.
const formats = "expected <split>/<class>/*.jpg|png, <class>/*.jpg|png, an IDX pair (images and labels, .gz too), CIFAR .bin files or an .npz file"

// Open reads the index of a data set: a folder, a .zip file or a single file. Samples are decoded later. The caller
// closes the set. It is an error if the format is not known or the split is empty.
func Open(name string, o Options) (*Set, error) {
	sets, err := OpenSplits(name, o, o.Split)
	if err != nil {
		return nil, err
	}
	return sets[0], nil
}

// OpenSplits is Open for several splits, in place of the one in the options. Files are read once for all of them, and
// closed with the last.
func OpenSplits(name string, o Options, splits ...string) ([]*Set, error) {
	return cut(name, o, splits, func() (*source, error) { return openPath(name, o) })
}

// OpenFS is Open for the files of a file system. name is for messages.
func OpenFS(fsys fs.FS, name string, o Options) (*Set, error) {
	sets, err := cut(name, o, []string{o.Split}, func() (*source, error) { return openFiles(fsys, o) })
	if err != nil {
		return nil, err
	}
	return sets[0], nil
}

// cut opens a source and makes a set of each split.
func cut(name string, o Options, splits []string, open func() (*source, error)) ([]*Set, error) {
	for _, split := range splits {
		o.Split = split
		if err := o.Validate(); err != nil {
			return nil, fmt.Errorf("open data %s: %w", name, err)
		}
	}
	src, err := open()
	if err != nil {
		return nil, fmt.Errorf("open data %s: %w", name, err)
	}
	src.memory = newBudget(o.MaxMemory)
	src.users.Store(int32(len(splits)))
	var sets []*Set
	for _, split := range splits {
		o.Split = split
		s, err := newSet(name, src, o)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open data %s: %w", name, err), src.shut())
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// openPath opens a folder, an archive or a file.
func openPath(name string, o Options) (*source, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return openFiles(folder(name), o)
	}
	f, _, err := file.Open(name) // nothing else is opened that could be read for ever
	if err != nil {
		return nil, reason(err)
	}
	if err := f.Close(); err != nil {
		return nil, reason(err)
	}
	dir, base := filepath.Split(name)
	t := single(dir, base)
	t.most = inMemory(o)
	switch lower := strings.ToLower(base); {
	case strings.HasSuffix(lower, ".zip"):
		return openZip(name, o)
	case strings.HasSuffix(lower, ".npz"):
		return readNPZ(name, o)
	case strings.HasSuffix(lower, ".bin"):
		return readCIFAR(t, t.entries)
	case isIDXImages(base):
		return readIDX(t, t.entries)
	default:
		return nil, fmt.Errorf("it is no data set; %s", formats)
	}
}

// openZip opens an archive of files.
func openZip(name string, o Options) (*source, error) {
	z, err := openArchive(name)
	if err != nil {
		return nil, err
	}
	t, err := listArchive(z.Reader)
	if err != nil {
		return nil, errors.Join(err, z.Close())
	}
	t.most = inMemory(o)
	src, err := openTree(t)
	if err != nil {
		return nil, errors.Join(err, z.Close())
	}
	src.close = z.Close
	return src, nil
}

// openFiles reads the files of a file system.
func openFiles(fsys fs.FS, o Options) (*source, error) {
	t, err := list(fsys)
	if err != nil {
		return nil, err
	}
	t.most = inMemory(o)
	return openTree(t)
}

// openTree recognises the format by the names of the files.
func openTree(t tree) (*source, error) {
	var images, idx, bin []entry
	for _, e := range t.entries {
		switch base := path.Base(e.path); {
		case isImage(base):
			images = append(images, e)
		case isIDXImages(base):
			idx = append(idx, e)
		case strings.HasSuffix(base, ".bin"):
			bin = append(bin, e)
		}
	}
	switch {
	case len(images) > 0:
		return readImages(images)
	case len(idx) > 0:
		return readIDX(t, idx)
	case len(bin) > 0:
		return readCIFAR(t, bin)
	default:
		return nil, fmt.Errorf("there are no images in it%s; %s", others(t.entries), formats)
	}
}

// others describes files of a data set without images that the user may have taken for images.
func others(entries []entry) string {
	count := map[string]int{}
	for _, e := range entries {
		switch ext := strings.ToLower(path.Ext(e.path)); ext {
		case ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif", ".jxl", ".zip", ".tar", ".tgz", ".gz", ".7z", ".rar", ".npy", ".parquet", ".tfrecord":
			count[ext]++
		}
	}
	most := ""
	for _, ext := range slices.Sorted(maps.Keys(count)) {
		if most == "" || count[ext] > count[most] {
			most = ext
		}
	}
	if most == "" {
		return ""
	}
	return fmt.Sprintf(", but %d %s, which are not read: unpack or convert them", count[most], most)
}

// inMemory is the number of bytes that IDX, CIFAR and arrays, which are read as a whole, may take.
func inMemory(o Options) int64 {
	if o.MaxMemory > 0 {
		return o.MaxMemory
	}
	if total := memory.Total(); total > 0 {
		return total
	}
	return math.MaxInt64
}

// isImage reports whether a name is that of an image file.
func isImage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png":
		return true
	default:
		return false
	}
}

// splitName returns the split that the name of a folder or file stands for, or "".
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
