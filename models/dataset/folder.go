package dataset

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// readPictures reads <split>/<class>/*, <class>/*, or pictures without classes. A single folder around everything, as
// archives often have, is looked through. Labels are the positions of the sorted class names.
func readPictures(fsys fs.FS, paths []string, entries []fs.DirEntry) (*source, error) {
	inner := trimRoot(paths)
	items, classes := make([]item, len(paths)), make([]string, len(paths))
	hash := sha256.New()
	for i, p := range inner {
		parts := strings.Split(p, "/")
		items[i] = item{name: paths[i], label: -1}
		if items[i].split = splitName(parts[0]); items[i].split != "" && len(parts) > 1 {
			parts = parts[1:]
		} else {
			items[i].split = ""
		}
		if len(parts) > 1 {
			classes[i] = parts[0]
		}
		info, err := entries[i].Info()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", paths[i], reason(err))
		}
		hash.Write(fmt.Appendf(nil, "%s %d %s\n", p, info.Size(), checksum(info)))
	}
	if err := unanimous(items); err != nil {
		return nil, err
	}
	names, err := label(items, classes)
	if err != nil {
		return nil, err
	}
	return &source{
		items: items, classes: names, fingerprint: hex.EncodeToString(hash.Sum(nil)),
		fetch: func(i int) (sample, error) {
			b, err := readPicture(fsys, paths[i])
			if err != nil {
				return sample{}, err
			}
			p, err := decodePicture(bytes.NewReader(b))
			if err != nil {
				return sample{}, err
			}
			return sample{picture: p.upright(orientation(b))}, nil
		},
	}, nil
}

// maxPicture bounds the bytes of a picture's file: as many as its pixels may take unpacked.
const maxPicture = 4 * maxPixels

func readPicture(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, reason(err)
	}
	if info.Size() > maxPicture {
		return nil, fmt.Errorf("a file of %d bytes is no picture", info.Size())
	}
	return readAll(fsys, name)
}

// trimRoot drops leading folders that all paths share, unless one is a split or the last folder, which is a class.
func trimRoot(paths []string) []string {
	out := slices.Clone(paths)
	for {
		first, _, ok := strings.Cut(out[0], "/")
		if !ok || splitName(first) != "" {
			return out
		}
		for _, p := range out {
			if !strings.HasPrefix(p, first+"/") || strings.Count(p, "/") < 2 {
				return out
			}
		}
		for i, p := range out {
			out[i] = p[len(first)+1:]
		}
	}
}

// unanimous demands that either all pictures are in a split or none.
func unanimous(items []item) error {
	for _, it := range items {
		if (it.split == "") != (items[0].split == "") {
			return fmt.Errorf("%s lies in a split folder, %s does not", items[0].name, it.name)
		}
	}
	return nil
}

// label sets the labels and returns the sorted class names; nil where there are no classes.
func label(items []item, classes []string) ([]string, error) {
	names := slices.Compact(slices.Sorted(slices.Values(classes)))
	if len(names) == 1 && names[0] == "" {
		return nil, nil
	}
	if names[0] == "" {
		i := slices.Index(classes, "")
		return nil, fmt.Errorf("%s lies beside the class folders", items[i].name)
	}
	for i, c := range classes {
		j, _ := slices.BinarySearch(names, c)
		items[i].label = int32(j)
	}
	return names, nil
}

// checksum is the CRC that archives hold; folders on disk have none and are told apart by names and sizes.
func checksum(info fs.FileInfo) string {
	if h, ok := info.Sys().(*zip.FileHeader); ok {
		return fmt.Sprintf("%08x", h.CRC32)
	}
	return ""
}
