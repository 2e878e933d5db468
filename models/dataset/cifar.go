package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Records of https://www.cs.toronto.edu/~kriz/cifar.html: labels, then 32x32 red, green and blue values.
const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
)

// readCIFAR reads the binary version of CIFAR-10 (one label byte) or CIFAR-100 (coarse and fine label; fine is used).
// Files whose name begins with test are the test split, other ones training.
func readCIFAR(t tree, files []entry) (*source, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b entry) int { return strings.Compare(a.path, b.path) })
	src := &source{}
	var records [][]byte // 3072 bytes each
	hash := sha256.New()
	for _, file := range files {
		b, err := t.take(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		labels := 0
		switch {
		case len(b) == 0:
		case len(b)%(cifarPixels+1) == 0:
			labels = 1
		case len(b)%(cifarPixels+2) == 0:
			labels = 2
		}
		if labels == 0 {
			return nil, fmt.Errorf("read %s: %d bytes are no whole number of CIFAR records", file, len(b))
		}
		hash.Write(b)
		split := Train
		if strings.HasPrefix(path.Base(file.path), "test") {
			split = Test
		}
		for i := 0; len(b) > 0; i++ {
			src.items = append(src.items, item{fmt.Sprintf("%s[%d]", file, i), split, int32(b[labels-1])})
			records = append(records, b[labels:labels+cifarPixels])
			b = b[labels+cifarPixels:]
		}
	}
	if len(files) == 1 {
		for i := range src.items {
			src.items[i].split = "" // a single file is all there is, whatever its name
		}
	}
	src.classes = cifarClasses(t, path.Dir(files[0].path))
	src.fetch = func(_ context.Context, i int, memory room) (sample, error) {
		return sample{bitmap: cifarImage(records[i])}, memory.take(cifarSide, cifarSide, cifarPixels)
	}
	src.fingerprint = hex.EncodeToString(hash.Sum(nil))
	return src, nil
}

// cifarImage converts the planes of a record to interleaved pixels.
func cifarImage(planes []byte) *bitmap {
	const n = cifarSide * cifarSide
	p := &bitmap{cifarSide, cifarSide, 3, make([]uint8, 0, cifarPixels)}
	for i := range n {
		p.pix = append(p.pix, planes[i], planes[n+i], planes[2*n+i])
	}
	return p
}

// cifarClasses reads the class names beside the data; nil if there are none.
func cifarClasses(t tree, dir string) []string {
	for _, name := range []string{"batches.meta.txt", "fine_label_names.txt"} {
		e, ok := t.find(path.Join(dir, name))
		if !ok {
			continue
		}
		if b, err := e.read(1 << 20); err == nil {
			return strings.Fields(string(b))
		}
	}
	return nil
}
