package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// isIDXImages reports whether a name is that of the images file of an IDX pair, by the custom of MNIST.
func isIDXImages(name string) bool {
	name = strings.ToLower(path.Base(name))
	return strings.Contains(name, "images") && (strings.Contains(name, "idx") || strings.Contains(name, "ubyte"))
}

// labelsName returns the labels file for an images file: train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz.
func labelsName(images string) string {
	dir, base := path.Split(images)
	return dir + strings.Replace(strings.Replace(base, "images", "labels", 1), "idx3", "idx1", 1)
}

// readIDX reads pairs of IDX files (http://yann.lecun.com/exdb/mnist): magic 0, 0, 8 (bytes), rank; the dimensions as
// big-endian 32-bit numbers; the data. Rank 3 is grey, rank 4 ends with channels. The first word of the name is the
// split.
func readIDX(t tree, images []entry) (*source, error) {
	src := &source{}
	var bitmaps []*bitmap // views into the files
	hash := sha256.New()
	for _, file := range images {
		dims, pixels, err := t.idxFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if len(dims) != 3 && !(len(dims) == 4 && (dims[3] == 1 || dims[3] == 3)) {
			return nil, fmt.Errorf("read %s: dimensions %v are not those of images", file, dims)
		}
		channels := 1
		if len(dims) == 4 {
			channels = dims[3]
		}
		labels, err := idxLabels(&t, file.path, dims[0])
		if err != nil {
			return nil, err
		}
		hash.Write(pixels)
		hash.Write(labels)
		word, _, _ := strings.Cut(path.Base(file.path), "-")
		size := dims[1] * dims[2] * channels
		for i := range dims[0] {
			it := item{name: fmt.Sprintf("%s[%d]", file, i), split: splitName(word), label: -1}
			if labels != nil {
				it.label = int32(labels[i])
			}
			src.items = append(src.items, it)
			bitmaps = append(bitmaps, &bitmap{dims[2], dims[1], channels, pixels[i*size : (i+1)*size]})
		}
	}
	src.fetch = func(_ context.Context, i int, memory room) (sample, error) {
		return sample{bitmap: bitmaps[i]}, memory.take(bitmaps[i].width, bitmaps[i].height, 0)
	}
	src.fingerprint = hex.EncodeToString(hash.Sum(nil))
	return src, unanimous(src.items)
}

// unanimous is an error if some items have a split and others have none.
func unanimous(items []item) error {
	for _, it := range items {
		if (it.split == "") != (items[0].split == "") {
			return fmt.Errorf("only one of the files of %s and %s is named after a split: begin all names with train-, val- or test- (t10k-), or name one file",
				items[0].name, it.name)
		}
	}
	return nil
}

// idxLabels reads the labels of n samples; nil if there is no such file.
func idxLabels(t *tree, images string, n int) ([]byte, error) {
	name := labelsName(images)
	file, ok := t.find(name)
	if name == images || !ok {
		return nil, nil
	}
	dims, labels, err := t.idxFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(dims) != 1 || dims[0] != n {
		return nil, fmt.Errorf("read %s: %v labels for %d images", file, dims, n)
	}
	return labels, nil
}

// gzipMagic begins every gzip file.
const gzipMagic = "\x1f\x8b"

// idxFile reads one file and unpacks it on the way. The claims of its header are checked before memory is allocated.
func (t *tree) idxFile(e entry) (dims []int, data []byte, err error) {
	f, size, err := e.open()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	file := bufio.NewReader(f)
	var r io.Reader = file
	most := uint64(size)
	if magic, _ := file.Peek(len(gzipMagic)); string(magic) == gzipMagic {
		if r, err = gzip.NewReader(file); err != nil {
			return nil, nil, err
		}
		most *= deflateMost
	}
	dims, n, err := idxHeader(r, most)
	if err != nil {
		return nil, nil, err
	}
	if err := checkUnpacked(uint64(size), uint64(n)); err != nil {
		return nil, nil, fmt.Errorf("it %w", err)
	}
	if int64(n) > t.most {
		return nil, nil, tooLarge(int64(n), t.most)
	}
	t.most -= int64(n)
	buf := bytes.NewBuffer(make([]byte, 0, n+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(r, int64(n)+1)); err != nil { // one more, to see that it ends
		return nil, nil, err
	}
	if buf.Len() != n {
		return nil, nil, fmt.Errorf("dimensions %v need %d bytes, there are %d", dims, n, buf.Len())
	}
	return dims, buf.Bytes(), nil
}

// idxHeader reads the dimensions and their product, which may be at most most.
func idxHeader(r io.Reader, most uint64) (dims []int, n int, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0, fmt.Errorf("not an IDX file of bytes: %w", err)
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 8 {
		return nil, 0, errors.New("not an IDX file of bytes")
	}
	n = 1
	for i := range int(head[3]) {
		var word [4]byte
		if _, err := io.ReadFull(r, word[:]); err != nil {
			return nil, 0, fmt.Errorf("not an IDX file of bytes: %w", err)
		}
		d := int(binary.BigEndian.Uint32(word[:]))
		if d < 1 || uint64(d) > most/uint64(n) {
			return nil, 0, fmt.Errorf("dimension %d is %d, which does not fit %d bytes", i, d, most)
		}
		dims, n = append(dims, d), n*d
	}
	return dims, n, nil
}
