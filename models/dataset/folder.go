package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// readImages reads images in <split>/<class>/*, <class>/*, or without classes. A single folder around everything,
// which archives often have, is skipped. Labels are the positions of the sorted class names.
func readImages(files []entry) (*source, error) {
	inner := trimRoot(files)
	items, classes := make([]item, len(files)), make([]string, len(files))
	hash := sha256.New()
	splits, err := splitFolders(files, inner)
	if err != nil {
		return nil, err
	}
	for i, p := range inner {
		parts := strings.Split(p, "/")
		items[i] = item{name: files[i].String(), label: -1}
		if splits {
			items[i].split = splitName(parts[0])
			parts = parts[1:]
		}
		if len(parts) > 1 {
			classes[i] = parts[0]
		}
		hash.Write(fmt.Appendf(nil, "%s %d %s\n", p, files[i].size, files[i].checksum()))
	}
	names, err := label(items, classes)
	if err != nil {
		return nil, err
	}
	return &source{
		items: items, classes: names, fingerprint: hex.EncodeToString(hash.Sum(nil)),
		fetch: func(ctx context.Context, i int, memory room) (sample, error) {
			p, err := files[i].bitmap(ctx, memory)
			return sample{bitmap: p}, err
		},
	}, nil
}

// maxImage is the largest size of an image file in bytes: as much as its pixels may take unpacked.
const maxImage = 4 * maxPixels

// trimRoot drops leading folders that all files share, but no split and not the last folder, which is a class.
func trimRoot(files []entry) []string {
	out := make([]string, len(files))
	for i, e := range files {
		out[i] = e.path
	}
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

// splitFolders reports whether the first folders of the paths are splits. If only some have such a name, and images lie
// directly in them, they are classes that happen to be called test.
func splitFolders(files []entry, paths []string) (bool, error) {
	in, deep, out := -1, -1, -1 // a image below a folder named like a split, one two folders below, one elsewhere
	for i, p := range paths {
		first, rest, ok := strings.Cut(p, "/")
		if !ok || splitName(first) == "" {
			out = i
			continue
		}
		in = i
		if strings.Contains(rest, "/") {
			deep = i
		}
	}
	switch {
	case in < 0, out < 0:
		return in >= 0, nil
	case !strings.Contains(paths[out], "/"):
		return false, fmt.Errorf("%s lies beside the split folders: move it into train/<class>/ or test/<class>/, or away", files[out])
	case deep >= 0:
		first, _, _ := strings.Cut(paths[deep], "/")
		return false, fmt.Errorf("%s lies in a split folder, %s does not: move all class folders into train/ or test/, or, if %s is a class, rename it",
			files[deep], files[out], first)
	default:
		return false, nil
	}
}

// label sets the labels and returns the sorted class names; nil without classes.
func label(items []item, classes []string) ([]string, error) {
	names := slices.Compact(slices.Sorted(slices.Values(classes)))
	if len(names) == 1 && names[0] == "" {
		return nil, nil
	}
	if names[0] == "" {
		i := slices.Index(classes, "")
		return nil, fmt.Errorf("%s lies beside the class folders: move it into one of them, or away", items[i].name)
	}
	for i, c := range classes {
		j, _ := slices.BinarySearch(names, c)
		items[i].label = int32(j)
	}
	for i, name := range names {
		names[i] = printable(name)
	}
	return names, nil
}
