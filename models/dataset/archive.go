package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mpqc/mpqc/internal/file"
)

// Bounds of what a compressed file may unpack to. deflate packs at most deflateMost bytes into one. Data that is packed
// bombRatio times smaller and unpacks to bombSize or more is refused as no data set.
const (
	deflateMost = 1032
	bombRatio   = 100
	bombSize    = 1 << 30
)

// openArchive opens a zip file and checks its entries: none may claim to unpack to more than it can hold, and they must
// not overlap. Overlapping entries could unpack a megabyte to a terabyte. The true sizes are checked while reading.
func openArchive(name string) (*zipFile, error) {
	f, size, err := file.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	z, err := zip.NewReader(f, size)
	if err == nil {
		err = checkEntries(z.File, uint64(size))
	}
	if err != nil {
		return nil, errors.Join(reason(err), f.Close())
	}
	return &zipFile{z, f}, nil
}

// zipFile is an open zip file.
type zipFile struct {
	*zip.Reader
	io.Closer
}

// checkEntries is an error if an entry cannot be unpacked, or if the entries do not fit into size bytes.
func checkEntries(files []*zip.File, size uint64) error {
	for _, f := range files {
		if f.CompressedSize64 > size {
			return fmt.Errorf("entry %q overlaps others or the end of the archive", f.Name)
		}
		size -= f.CompressedSize64
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if err := checkPacking(f); err != nil {
			return fmt.Errorf("entry %q %w", f.Name, err)
		}
		if err := checkUnpacked(f.CompressedSize64, f.UncompressedSize64); err != nil {
			return fmt.Errorf("entry %q %w", f.Name, err)
		}
	}
	return nil
}

// checkPacking is an error if an entry uses encryption or a compression method that is not supported.
func checkPacking(f *zip.File) error {
	const encrypted, encryptedNames = 1 << 0, 1 << 13
	switch {
	case f.Flags&(encrypted|encryptedNames) != 0 || f.Method == 99:
		return errors.New("is encrypted: unpack the archive with its password and pack it without one, or name the folder")
	case f.Method == zip.Store || f.Method == zip.Deflate:
		return nil
	}
	method := fmt.Sprintf("method %d", f.Method)
	if name := map[uint16]string{9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ"}[f.Method]; name != "" {
		method = name
	}
	return fmt.Errorf("is packed by %s, which is not read: pack the archive anew with deflate, or unpack it and name the folder", method)
}

// checkUnpacked is an error if packed bytes cannot or should not unpack to the size that they claim.
func checkUnpacked(packed, unpacked uint64) error {
	if unpacked/deflateMost > packed || unpacked > bombSize && unpacked/bombRatio > packed {
		return fmt.Errorf("claims to unpack from %d to %d bytes", packed, unpacked)
	}
	return nil
}
