package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/tensor"
)

func idxBytes(dims []int, data []byte) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestIDX(t *testing.T) {
	images := idxBytes([]int{2, 1, 2}, []byte{1, 2, 3, 4})
	good := fstest.MapFS{
		"train-images-idx3-ubyte.gz": {Data: gzipped(t, images)}, "train-labels-idx1-ubyte.gz": {Data: gzipped(t, idxBytes([]int{2}, []byte{7, 8}))},
		"t10k-images-idx3-ubyte": {Data: idxBytes([]int{1, 1, 2}, []byte{9, 9})}, "t10k-labels-idx1-ubyte": {Data: idxBytes([]int{1}, []byte{5})},
	}
	for _, c := range []struct {
		name string
		edit func(fstest.MapFS)
		want string // contents of the training split, or the error
	}{
		{"pairs", func(fstest.MapFS) {}, "7:1 8:3"},
		{"no labels", func(f fstest.MapFS) { delete(f, "train-labels-idx1-ubyte.gz") }, "-1:1 -1:3"},
		{"one split named", func(f fstest.MapFS) {
			f["more-images-idx3-ubyte"] = f["t10k-images-idx3-ubyte"]
		}, "begin all names with train-, val- or test-"},
		{"cut off", func(f fstest.MapFS) { f["train-images-idx3-ubyte.gz"].Data = gzipped(t, images[:len(images)-1]) }, "need 4 bytes, there are 3"},
		{"cut off gzip", func(f fstest.MapFS) { f["train-images-idx3-ubyte.gz"].Data = gzipped(t, images)[:20] }, "unexpected EOF"},
		{"wrong number of labels", func(f fstest.MapFS) { f["train-labels-idx1-ubyte.gz"].Data = idxBytes([]int{1}, []byte{7}) }, "[1] labels for 2 images"},
		{"hostile size", func(f fstest.MapFS) {
			f["train-images-idx3-ubyte.gz"].Data = idxBytes([]int{1 << 31, 1 << 31, 1 << 31}, nil)
		}, "does not fit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fstest.MapFS{}
			for k, v := range good {
				f[k] = &fstest.MapFile{Data: v.Data}
			}
			c.edit(f)
			o := plain("GRAY")
			o.Split = Train
			var got string
			if s, err := OpenFS(f, "x", o); err != nil {
				got = err.Error()
			} else {
				got = strings.Join(contents(t, s), " ")
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCIFAR(t *testing.T) {
	record := func(labels []byte, red, green byte) []byte {
		b := append(labels, bytes.Repeat([]byte{red}, 1024)...)
		b = append(b, bytes.Repeat([]byte{green}, 1024)...)
		return append(b, make([]byte, 1024)...)
	}
	f := fstest.MapFS{
		"c/data_batch_1.bin": {Data: append(record([]byte{3}, 10, 20), record([]byte{4}, 11, 21)...)},
		"c/test_batch.bin":   {Data: record([]byte{5}, 12, 22)},
		"c/batches.meta.txt": {Data: []byte("airplane\nautomobile\n")},
	}
	o := plain("BGR")
	o.Split = Train
	s, err := OpenFS(f, "x", o)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"3:0", "4:0"}, contents(t, s)); d != "" || s.Classes()[1] != "automobile" {
		t.Error(d, s.Classes())
	}
	p, err := s.src.fetch(t.Context(), 1, nil)
	if err != nil || !bytes.Equal(p.bitmap.pix[:3], []byte{11, 21, 0}) {
		t.Errorf("pixel %v, %v", p.bitmap.pix[:3], err)
	}
	o = plain("RGB")
	hundred, err := OpenFS(fstest.MapFS{"train.bin": {Data: record([]byte{1, 99}, 7, 8)}}, "x", o)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"99:7"}, contents(t, hundred)); d != "" {
		t.Error(d)
	}
	if _, err := OpenFS(fstest.MapFS{"x.bin": {Data: make([]byte, 100)}}, "x", o); err == nil || !strings.Contains(err.Error(), "CIFAR records") {
		t.Errorf("error %v", err)
	}
}

func npyBytes(descr, order, shape string, data []byte) []byte {
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }", descr, order, shape)
	h += strings.Repeat(" ", 63-(len(h)+10)%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), byte(len(h)>>8))
	return append(append(b, h...), data...)
}

func TestNPZ(t *testing.T) {
	floats := tensor.From(tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6}).Raw
	labels := npyBytes("<i8", "False", "2,", tensor.From(tensor.Shape{2}, []int64{8, 9}).Raw)
	for _, c := range []struct {
		name   string
		arrays map[string][]byte
		want   string
		takes  tensor.Shape // by the model
	}{
		{"floats", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats), "labels": labels}, "8:1 9:4", nil},
		{"no labels", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats)}, "-1:1 -1:4", nil},
		{"samples", map[string][]byte{"input": npyBytes("|u1", "False", "2, 1, 2, 3", []byte{9, 9, 9, 9, 9, 9, 8, 8, 8, 8, 8, 8})}, "-1:9 -1:8", nil},
		{"other name", map[string][]byte{"x": labels}, `named like the model's input "input", only x`, nil},
		{"fortran", map[string][]byte{"input": npyBytes("<f4", "True", "2, 3", floats)}, "Fortran", nil},
		{"big-endian", map[string][]byte{"input": npyBytes(">f4", "False", "2, 3", floats)}, `">f4"`, nil},
		{"cut off", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats[:20])}, "needs 24 bytes, has 20", nil},
		{"no array", map[string][]byte{"input": []byte("text, and some more")}, "not a NumPy array", nil},
		{"labels", map[string][]byte{"input": npyBytes("<f4", "False", "3, 2", floats), "labels": labels}, "for 3 samples", nil},
		{"as the model takes it", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats)}, "-1:1 -1:4", tensor.Shape{3}},
		{"any width", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats)}, "-1:1 -1:4", tensor.Shape{-1}},
		{
			"other layout",
			map[string][]byte{"input": npyBytes("<f4", "False", "1, 1, 2, 3", floats)},
			`array "input" has samples of shape 1x2x3, the model takes 3x1x2: save numpy.transpose(input, (0, 3, 1, 2))`,
			tensor.Shape{3, 1, 2},
		},
		{"rows and columns", map[string][]byte{"input": npyBytes("<f4", "False", "1, 2, 3", floats)}, "numpy.transpose(input, (0, 2, 1))", tensor.Shape{3, 2}},
		{"other rank", map[string][]byte{"input": npyBytes("<f4", "False", "1, 2, 3", floats)}, "has samples of shape 2x3, the model takes 1x2x3", tensor.Shape{1, 2, 3}},
		{"flat", map[string][]byte{"input": npyBytes("<f4", "False", "1, 6", floats)}, "has samples of shape 6, the model takes 1x2x3", tensor.Shape{1, 2, 3}},
		{
			"bytes in planes",
			map[string][]byte{"input": npyBytes("|u1", "False", "1, 3, 1, 2", []byte{1, 2, 3, 4, 5, 6})},
			"bytes of shape 1x3x1x2 are no images (N x H x W x 3); the model takes 3x1x2",
			tensor.Shape{3, 1, 2},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.npz")
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for n, data := range c.arrays {
				w, err := z.Create(n + ".npy")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(data); err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			o := plain("RGB")
			o.Input, o.Shape = "input", c.takes
			var got string
			if s, err := Open(path, o); err != nil {
				got = err.Error()
			} else {
				got = strings.Join(contents(t, s), " ")
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
