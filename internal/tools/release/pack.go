package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mpqc/mpqc/internal/file"
)

// entry is one file of an archive.
type entry struct {
	name    string // with slashes
	data    []byte
	program bool // may be run
}

func (e entry) mode() os.FileMode {
	if e.program {
		return 0o755
	}
	return 0o644
}

// pack writes an archive whose bytes depend on the arguments alone: sorted entries, one time, no owner. The ending of
// its name, .zip or .tar.gz, says which form.
func pack(name, folder string, entries []entry, at time.Time) error {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	var b bytes.Buffer
	write := tarGz
	if strings.HasSuffix(name, ".zip") {
		write = zipped
	}
	if err := write(&b, folder, entries, at.UTC()); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return file.WriteBytes(name, b.Bytes())
}

func tarGz(w io.Writer, folder string, entries []entry, at time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: folder + "/" + e.name, Mode: int64(e.mode()), Size: int64(len(e.data)), ModTime: at, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(e.data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

func zipped(w io.Writer, folder string, entries []entry, at time.Time) error {
	z := zip.NewWriter(w)
	for _, e := range entries {
		h := &zip.FileHeader{Name: folder + "/" + e.name, Method: zip.Deflate, Modified: at}
		h.SetMode(e.mode())
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(e.data); err != nil {
			return err
		}
	}
	return z.Close()
}

// sums writes the file that sha256sum -c reads.
func sums(name string, archives []string) error {
	var b strings.Builder
	for _, a := range slices.Sorted(slices.Values(archives)) {
		data, err := os.ReadFile(a)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), filepath.Base(a))
	}
	return file.WriteBytes(name, []byte(b.String()))
}
