package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
)

// Bounds of what a compressed file may unpack to. deflateMost is the most that deflate packs into a byte. Data that packs
// a hundred times smaller and then fills a gigabyte of memory is no data set.
const (
	deflateMost = 1032
	bombRatio   = 100
	bombSize    = 1 << 30
)

// openArchive opens a zip file of which no entry claims to unpack to more than it can hold, and whose entries fit into it:
// where they overlap, a megabyte unpacks to a terabyte. That each has the size it claims is checked as it is read.
func openArchive(name string) (*zip.ReadCloser, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, reason(err)
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	if err := checkEntries(z.File, uint64(info.Size())); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return z, nil
}

func checkEntries(files []*zip.File, size uint64) error {
	for _, f := range files {
		if f.CompressedSize64 > size {
			return fmt.Errorf("entry %q overlaps others or the end of the archive", f.Name)
		}
		size -= f.CompressedSize64
		if err := checkUnpacked(f.CompressedSize64, f.UncompressedSize64); err != nil {
			return fmt.Errorf("entry %q %w", f.Name, err)
		}
	}
	return nil
}

// checkUnpacked judges the size that packed bytes claim to unpack to.
func checkUnpacked(packed, unpacked uint64) error {
	if unpacked/deflateMost > packed || unpacked > bombSize && unpacked/bombRatio > packed {
		return fmt.Errorf("claims to unpack from %d to %d bytes", packed, unpacked)
	}
	return nil
}
