package sample

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/mpqc/mpqc/models"
)

// SmallData writes the first samples of the embedded example as IDX files to dir/data.
func SmallData(t *testing.T, dir string, train, test int) string {
	t.Helper()
	for name, n := range map[string]int{
		"train-images-idx3-ubyte.gz": train, "train-labels-idx1-ubyte.gz": train, "t10k-images-idx3-ubyte.gz": test, "t10k-labels-idx1-ubyte.gz": test,
	} {
		header, items := IDXFile(t, name)
		binary.BigEndian.PutUint32(header[4:], uint32(n))
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		for _, part := range append([][]byte{header}, items[:n]...) {
			if _, err := z.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		Write(t, filepath.Join(dir, "data", name), b.Bytes())
	}
	return filepath.Join(dir, "data")
}

// IDXFile splits a file of the embedded example into its header and one slice per sample or label.
func IDXFile(t *testing.T, name string) (header []byte, items [][]byte) {
	t.Helper()
	_, data, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := fs.ReadFile(data, name)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	dims, size := int(raw[3]), 1
	for i := 1; i < dims; i++ {
		size *= int(binary.BigEndian.Uint32(raw[4+4*i:]))
	}
	header, rest := bytes.Clone(raw[:4+4*dims]), raw[4+4*dims:]
	for len(rest) > 0 {
		items, rest = append(items, rest[:size]), rest[size:]
	}
	return header, items
}

// PNGFolder writes samples of the embedded example as <split>/<class>/<number>.png.
func PNGFolder(t *testing.T, dir string, train, test int) {
	t.Helper()
	for split, n := range map[string]int{"train": train, "t10k": test} {
		_, samples := IDXFile(t, split+"-images-idx3-ubyte.gz")
		_, labels := IDXFile(t, split+"-labels-idx1-ubyte.gz")
		folder := map[string]string{"train": "train", "t10k": "test"}[split]
		for i := range n {
			p := &image.Gray{Pix: samples[i], Stride: 28, Rect: image.Rect(0, 0, 28, 28)}
			var b bytes.Buffer
			if err := png.Encode(&b, p); err != nil {
				t.Fatal(err)
			}
			Write(t, filepath.Join(dir, folder, "class"+string('0'+rune(labels[i][0])), sampleName(i)), b.Bytes())
		}
	}
}

func sampleName(i int) string {
	const digits = "0123456789"
	return string([]byte{digits[i/100%10], digits[i/10%10], digits[i%10]}) + ".png"
}

// Large writes a grey sample per class and split, of a size that is not the embedded example's.
func Large(t *testing.T, dir string) {
	t.Helper()
	p := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range p.Pix {
		p.Pix[i] = 128
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	for class := range 10 {
		for _, split := range []string{"train", "test"} {
			Write(t, filepath.Join(dir, split, "class"+string('0'+rune(class)), "a.png"), b.Bytes())
		}
	}
}

// Colours makes samples of two classes.
func Colours(t *testing.T, size, count int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for i := range count {
		split := "train"
		if i%4 == 0 {
			split = "test"
		}
		folder := filepath.Join(dir, split, strconv.Itoa(i%2))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		p := image.NewRGBA(image.Rect(0, 0, size, size))
		for k := range size * size {
			x, y := k%size, k/size
			p.Set(x, y, color.RGBA{R: uint8(x*13 + i*29), G: uint8(y*(7+i%2*20) + i), B: uint8(x*y + i*i), A: 255})
		}
		f, err := os.Create(filepath.Join(folder, "p"+strconv.Itoa(i)+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, p); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Corrupt cuts off the first n samples below a folder and returns their names.
func Corrupt(t *testing.T, folder string, n int) []string {
	t.Helper()
	var names []string
	paths, err := filepath.Glob(folder + "/*/*.png")
	if err != nil || len(paths) < n {
		t.Fatalf("%d samples in %s: %v", len(paths), folder, err)
	}
	for _, p := range paths[:n] {
		Write(t, p, Read(t, p)[:40])
		names = append(names, filepath.Base(p))
	}
	return names
}

// Arrays writes little-endian numpy arrays of two dimensions to an .npz file.
func Arrays(t *testing.T, path string, content map[string]any) {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, rows := range content {
		kind, n, width := "<f4", 0, 4
		switch r := rows.(type) {
		case [][4]float32:
			n = len(r)
		case [][1]int64:
			kind, n, width = "<i8", len(r), 1
		}
		shape := fmt.Sprintf("(%d, %d)", n, width)
		if width == 1 {
			shape = fmt.Sprintf("(%d,)", n)
		}
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", kind, shape)
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := binary.Append(nil, binary.LittleEndian, rows)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(append(append(append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0), header...), data...))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Zipped packs a folder without compression.
func Zipped(t *testing.T, folder fs.FS) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if err := z.AddFS(folder); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ClassFolders writes n samples of 28x28 pixels into ten class folders. Those that broken names are no samples.
func ClassFolders(t *testing.T, n int, broken map[int]bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "samples")
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("c%d", i*10/n), fmt.Sprintf("%04d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		m := image.NewGray(image.Rect(0, 0, 28, 28))
		for k := range m.Pix {
			m.Pix[k] = uint8(k * (i%17 + 1) / 3)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if !broken[i] {
			err = png.Encode(f, m)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
