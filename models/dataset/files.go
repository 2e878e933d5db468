package dataset

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mpqc/mpqc/internal/file"
)

// entry is a regular file of a data set, in a folder or an archive.
type entry struct {
	path string // relative to the data set, with slashes; it may be invalid UTF-8
	size int64  // of image files
	zip  *zip.File
	fsys fs.FS // if zip is nil
}

// open returns the contents of the file and their expected size.
func (e entry) open() (io.ReadCloser, int64, error) {
	if e.zip != nil {
		if e.zip.Mode()&fs.ModeSymlink != 0 {
			return nil, 0, errors.New("it is a symbolic link, and an archive holds no files beside its own: pack the files themselves")
		}
		r, err := e.zip.Open()
		return r, int64(e.zip.UncompressedSize64), err
	}
	info, err := fs.Stat(e.fsys, e.path)
	if err != nil {
		return nil, 0, reason(err)
	}
	if !info.Mode().IsRegular() { // a link to a pipe: reading would wait for somebody to write to it
		return nil, 0, file.ErrIrregular
	}
	f, err := e.fsys.Open(e.path)
	return f, info.Size(), reason(err)
}

// take reads a whole file that stays in memory, and lowers the limit for the next one.
func (t *tree) take(e entry) ([]byte, error) {
	b, err := e.read(t.most)
	t.most -= int64(len(b))
	return b, err
}

// read returns the contents in a slice of their size. More than most bytes are an error.
func (e entry) read(most int64) (b []byte, err error) {
	r, size, err := e.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if size > most {
		return nil, tooLarge(size, most)
	}
	buf := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead)) // with so much room to spare it does not grow to see the end
	_, err = buf.ReadFrom(r)
	return buf.Bytes(), err
}

// tooLarge is the error about a file that exceeds the memory left.
func tooLarge(size, most int64) error {
	return fmt.Errorf("it has %d bytes, and there is room for %d more in memory: use fewer images, or a format that is read one by one", size, most)
}

// checksum is the CRC in an archive, "" in a folder, where files are told apart by names and sizes.
func (e entry) checksum() string {
	if e.zip == nil {
		return ""
	}
	return fmt.Sprintf("%08x", e.zip.CRC32)
}

// String returns the path for messages.
func (e entry) String() string { return printable(e.path) }

// printable quotes a name that would break a line of text, such as one in Latin-1.
func printable(name string) string {
	for _, r := range name {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(name)
		}
	}
	return name
}

// tree lists all files of a data set in the order of a walk: by name, folder by folder.
type tree struct {
	entries []entry
	fsys    fs.FS // nil for an archive
	most    int64 // bytes left for formats that are read as a whole
}

// find returns the file at a path. The path may lie beside the entries if a single file was opened.
func (t tree) find(p string) (entry, bool) {
	if t.fsys != nil {
		info, err := fs.Stat(t.fsys, p)
		return entry{path: p, fsys: t.fsys}, err == nil && info.Mode().IsRegular()
	}
	i := slices.IndexFunc(t.entries, func(e entry) bool { return e.path == p })
	if i < 0 {
		return entry{}, false
	}
	return t.entries[i], true
}

// folder is os.DirFS that also accepts names of invalid UTF-8, which package fs refuses.
type folder string

// path returns the path of a name in the folder.
func (d folder) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

// Open implements fs.FS. It opens folders and regular files only.
func (d folder) Open(name string) (fs.File, error) {
	if info, err := os.Stat(d.path(name)); err == nil && info.IsDir() {
		return os.Open(d.path(name))
	}
	f, _, err := file.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Stat implements fs.StatFS.
func (d folder) Stat(name string) (fs.FileInfo, error) { return os.Stat(d.path(name)) }

// single returns the tree of one file.
func single(dir, base string) tree {
	fsys := folder(dir)
	return tree{entries: []entry{{path: base, fsys: fsys}}, fsys: fsys}
}

// list walks through a file system.
func list(fsys fs.FS) (tree, error) {
	t := tree{fsys: fsys}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read %s: %w", printable(p), reason(err))
		case hidden(path.Base(p)) && d.IsDir():
			return fs.SkipDir
		case hidden(path.Base(p)), d.IsDir(), d.Type()&^fs.ModeSymlink != 0:
			return nil
		}
		e := entry{path: p, fsys: fsys}
		if isImage(p) {
			info, err := d.Info()
			if err != nil {
				return fmt.Errorf("read %s: %w", printable(p), reason(err))
			}
			e.size = info.Size()
		}
		t.entries = append(t.entries, e)
		return nil
	})
	return t, err
}

// listArchive lists the entries of a zip file. They are opened as entries, not by path: the path of a name with
// backslashes or in another encoding is a guess.
func listArchive(z *zip.Reader) (tree, error) {
	var t tree
	for _, f := range z.File {
		p := archivePath(f.Name)
		if strings.HasSuffix(strings.ReplaceAll(f.Name, `\`, "/"), "/") || f.Mode()&^fs.ModeSymlink&fs.ModeType != 0 ||
			slices.ContainsFunc(strings.Split(p, "/"), hidden) {
			continue
		}
		t.entries = append(t.entries, entry{path: p, size: int64(f.UncompressedSize64), zip: f})
	}
	slices.SortStableFunc(t.entries, func(a, b entry) int { return comparePaths(a.path, b.path) })
	for i := 1; i < len(t.entries); i++ {
		if t.entries[i].path == t.entries[i-1].path {
			return tree{}, fmt.Errorf("it holds %s twice: pack it anew", t.entries[i])
		}
	}
	return t, nil
}

// archivePath returns the path within the archive for an entry's name. One that leads outside ends inside.
func archivePath(name string) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

// hidden reports whether a file is one that systems leave beside the user's own.
func hidden(base string) bool {
	return base != "." && strings.HasPrefix(base, ".") || base == "__MACOSX"
}

// comparePaths orders paths like a walk: "a/x" comes before "a-b/x".
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
			continue
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// reason removes operation and path from a file error, because messages name the file themselves.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
