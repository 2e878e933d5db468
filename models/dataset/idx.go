package dataset

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// isIDXImages tells the images file of an IDX pair by the names that MNIST made customary.
func isIDXImages(name string) bool {
	name = strings.ToLower(path.Base(name))
	return strings.Contains(name, "images") && (strings.Contains(name, "idx") || strings.Contains(name, "ubyte"))
}

// labelsName is the labels file that belongs to an images file: train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz.
func labelsName(images string) string {
	dir, base := path.Split(images)
	return dir + strings.Replace(strings.Replace(base, "images", "labels", 1), "idx3", "idx1", 1)
}

// readIDX reads pairs of IDX files (http://yann.lecun.com/exdb/mnist): magic 0, 0, 8 (bytes), rank; the dimensions as
// big-endian 32-bit numbers; the data. Rank 3 is grey, rank 4 ends with channels. Splits by the file's first word.
func readIDX(fsys fs.FS, images []string) (*source, error) {
	src := &source{}
	var pictures []*picture // views into the files
	hash := sha256.New()
	for _, name := range images {
		dims, pixels, err := idxFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if len(dims) != 3 && !(len(dims) == 4 && (dims[3] == 1 || dims[3] == 3)) {
			return nil, fmt.Errorf("read %s: dimensions %v are not those of pictures", name, dims)
		}
		channels := 1
		if len(dims) == 4 {
			channels = dims[3]
		}
		labels, err := idxLabels(fsys, name, dims[0])
		if err != nil {
			return nil, err
		}
		hash.Write(pixels)
		hash.Write(labels)
		word, _, _ := strings.Cut(path.Base(name), "-")
		size := dims[1] * dims[2] * channels
		for i := range dims[0] {
			it := item{name: fmt.Sprintf("%s[%d]", name, i), split: splitName(word), label: -1}
			if labels != nil {
				it.label = int32(labels[i])
			}
			src.items = append(src.items, it)
			pictures = append(pictures, &picture{dims[2], dims[1], channels, pixels[i*size : (i+1)*size]})
		}
	}
	src.fetch = func(i int) (sample, error) { return sample{picture: pictures[i]}, nil }
	src.fingerprint = hex.EncodeToString(hash.Sum(nil))
	return src, unanimous(src.items)
}

// idxLabels reads the labels of n pictures; nil where there is no such file.
func idxLabels(fsys fs.FS, images string, n int) ([]byte, error) {
	name := labelsName(images)
	if name == images {
		return nil, nil
	}
	dims, labels, err := idxFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(dims) != 1 || dims[0] != n {
		return nil, fmt.Errorf("read %s: %v labels for %d pictures", name, dims, n)
	}
	return labels, nil
}

func idxFile(fsys fs.FS, name string) (dims []int, data []byte, err error) {
	b, err := readAll(fsys, name)
	if err != nil {
		return nil, nil, err
	}
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, nil, err
		}
		if b, err = io.ReadAll(z); err != nil {
			return nil, nil, err
		}
	}
	if len(b) < 4 || b[0] != 0 || b[1] != 0 || b[2] != 8 || len(b) < 4+4*int(b[3]) {
		return nil, nil, errors.New("not an IDX file of bytes")
	}
	n := 1
	for i := range int(b[3]) {
		d := int(binary.BigEndian.Uint32(b[4+4*i:]))
		if d < 1 || d > len(b)/n {
			return nil, nil, fmt.Errorf("dimension %d is %d, which does not fit %d bytes", i, d, len(b))
		}
		dims, n = append(dims, d), n*d
	}
	if data = b[4+4*len(dims):]; len(data) != n {
		return nil, nil, fmt.Errorf("dimensions %v need %d bytes, there are %d", dims, n, len(data))
	}
	return dims, data, nil
}
