// Command makeexample cuts the embedded example's samples from Fashion-MNIST: the first so many of each class from the
// training and the test split, in their order, as gzipped IDX files. It runs once, by hand:
//
//	go run ./models/internal/makeexample --data /usr/share/datasets/fashion-mnist --out models/example
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const classes = 10

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "makeexample:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func run(args []string) error {
	f := flag.NewFlagSet("makeexample", flag.ContinueOnError)
	data := f.String("data", "/usr/share/datasets/fashion-mnist", "folder with the four IDX files")
	out := f.String("out", "models/example", "folder to write to")
	train := f.Int("train", 4000, "training samples")
	test := f.Int("test", 2000, "test samples")
	if err := f.Parse(args); err != nil {
		return err
	}
	for name, n := range map[string]int{"train": *train, "t10k": *test} {
		if err := cut(*data, *out, name, n/classes); err != nil {
			return fmt.Errorf("cut %s: %w", name, err)
		}
	}
	return nil
}

// cut keeps the first perClass samples of each class.
func cut(from, to, name string, perClass int) error {
	images, err := read(filepath.Join(from, name+"-images-idx3-ubyte.gz"))
	if err != nil {
		return err
	}
	labels, err := read(filepath.Join(from, name+"-labels-idx1-ubyte.gz"))
	if err != nil {
		return err
	}
	const imagesHeader, labelsHeader, size = 16, 8, 28 * 28
	if len(labels) < labelsHeader || len(images) != imagesHeader+size*(len(labels)-labelsHeader) {
		return errors.New("samples and labels do not fit")
	}
	var taken [classes]int
	var pixels, kept []byte
	for i, l := range labels[labelsHeader:] {
		if int(l) < classes && taken[l] < perClass {
			taken[l]++
			kept = append(kept, l)
			pixels = append(pixels, images[imagesHeader+i*size:imagesHeader+(i+1)*size]...)
		}
	}
	if len(kept) != classes*perClass {
		return fmt.Errorf("there are fewer than %d samples of some class", perClass)
	}
	if err := write(filepath.Join(to, name+"-images-idx3-ubyte.gz"), []int{len(kept), 28, 28}, pixels); err != nil {
		return err
	}
	return write(filepath.Join(to, name+"-labels-idx1-ubyte.gz"), []int{len(kept)}, kept)
}

func read(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func write(path string, dims []int, data []byte) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	header := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		header = binary.BigEndian.AppendUint32(header, uint32(d))
	}
	if _, err := z.Write(append(header, data...)); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
