package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
)

func plain(colour string) Options {
	return Options{Preprocessing: models.Preprocessing{Layout: "NCHW", Color: colour, Scale: 1, Mean: []float64{0}, Std: []float64{1}}, Holdout: 0.5}
}

// dot is a PNG of size x size grey pixels of one value.
func dot(t *testing.T, size int, v uint8) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, size, size))
	for i := range m.Pix {
		m.Pix[i] = v
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func files(t *testing.T, names ...string) fstest.MapFS {
	t.Helper()
	f := fstest.MapFS{}
	for i, n := range names {
		f[n] = &fstest.MapFile{Data: dot(t, 2, uint8(i))}
	}
	return f
}

// contents lists "label:first pixel" of every picture.
func contents(t *testing.T, s *Set) []string {
	t.Helper()
	out := make([]string, s.Len())
	x, l := make([]float32, s.Shape().Numel()), make([]int32, 1)
	for i := range out {
		if err := s.Batch(t.Context(), []int{i}, x, l); err != nil {
			t.Fatal(err)
		}
		out[i] = fmt.Sprintf("%d:%v", l[0], x[0])
	}
	return out
}

func TestFolderLayouts(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   []string
		split   string
		classes []string
		want    []string
		err     string
	}{
		{"split and class", []string{"test/b/0.png", "train/a/0.png", "train/b/0.png"}, Train, []string{"a", "b"}, []string{"0:1", "1:2"}, ""},
		{"test split", []string{"test/b/0.png", "train/a/0.png"}, Test, []string{"a", "b"}, []string{"1:0"}, ""},
		{"val stands for test", []string{"train/a/0.png", "validation/a/0.png"}, Test, []string{"a"}, []string{"0:1"}, ""},
		{"three splits", []string{"test/a/0.png", "train/a/0.png", "val/a/0.png"}, Val, []string{"a"}, []string{"0:2"}, ""},
		{"no val", []string{"test/a/0.png", "train/a/0.png"}, Val, nil, nil, "split val has no pictures"},
		{"class only", []string{"a/0.png", "b/0.png", "b/x/1.png"}, All, []string{"a", "b"}, []string{"0:0", "1:1", "1:2"}, ""},
		{"one folder around", []string{"data/set/train/a/0.png", "data/set/test/b/0.png"}, Train, []string{"a", "b"}, []string{"0:0"}, ""},
		{"one class", []string{"a/0.png", "a/1.png"}, All, []string{"a"}, []string{"0:0", "0:1"}, ""},
		{"flat", []string{"0.png", "1.png"}, All, nil, []string{"-1:0", "-1:1"}, ""},
		{"flat splits", []string{"test/0.png", "train/1.png"}, Train, nil, []string{"-1:1"}, ""},
		{"hidden files", []string{".x/0.png", "__MACOSX/a/._0.png", "a/0.png"}, All, []string{"a"}, []string{"0:2"}, ""},
		{"beside classes", []string{"0.png", "a/0.png"}, All, nil, nil, "0.png lies beside the class folders"},
		{"beside splits", []string{"a/0.png", "train/a/0.png"}, All, nil, nil, "train/a/0.png lies in a split folder, a/0.png does not: move all class folders into train/ or test/, or, if train is a class, rename it"},
		{"alone beside splits", []string{"0.png", "train/a/0.png"}, All, nil, nil, "0.png lies beside the split folders: move it"},
		{"a class called test", []string{"a/0.png", "test/1.png", "train/2.png"}, All, []string{"a", "test", "train"}, []string{"0:0", "1:1", "2:2"}, ""},
		{"a class called test within a split", []string{"train/a/0.png", "train/test/1.png"}, All, []string{"a", "test"}, []string{"0:0", "1:1"}, ""},
		{"odd names", []string{"train/ä 1/0.png", "train/-x/0.png", "train/c.d/0.png", "train/#,'/0.png"}, All, []string{"#,'", "-x", "c.d", "ä 1"}, []string{"0:3", "1:1", "2:2", "3:0"}, ""},
		{"nothing", []string{"readme.txt"}, All, nil, nil, "no pictures"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := plain("GRAY")
			o.Split = c.split
			s, err := OpenFS(files(t, c.files...), "x", o)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, contents(t, s)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.classes, s.Classes()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestZipAndFolderAgree(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "x.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for i, n := range []string{"a/0.png", "b/0.png"} {
		w, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(dot(t, 3, uint8(i))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "folder", n)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, dot(t, 3, uint8(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.zip", "folder"} {
		s, err := Open(filepath.Join(dir, name), plain("GRAY"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"0:0", "1:1"}, contents(t, s)); d != "" || s.Fingerprint() == "" || !s.Labelled() {
			t.Errorf("%s: %s", name, d)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(filepath.Join(dir, "no.zip"), plain("GRAY")); err == nil || !strings.Contains(err.Error(), "no.zip") {
		t.Errorf("missing file: %v", err)
	}
}

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
		{"wrong number of labels", func(f fstest.MapFS) { f["train-labels-idx1-ubyte.gz"].Data = idxBytes([]int{1}, []byte{7}) }, "[1] labels for 2 pictures"},
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
	p, err := s.src.fetch(1)
	if err != nil || !bytes.Equal(p.picture.pix[:3], []byte{11, 21, 0}) {
		t.Errorf("pixel %v, %v", p.picture.pix[:3], err)
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
	}{
		{"floats", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats), "labels": labels}, "8:1 9:4"},
		{"no labels", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats)}, "-1:1 -1:4"},
		{"pictures", map[string][]byte{"input": npyBytes("|u1", "False", "2, 1, 2, 3", []byte{9, 9, 9, 9, 9, 9, 8, 8, 8, 8, 8, 8})}, "-1:9 -1:8"},
		{"other name", map[string][]byte{"x": labels}, `named like the model's input "input", only x`},
		{"fortran", map[string][]byte{"input": npyBytes("<f4", "True", "2, 3", floats)}, "Fortran"},
		{"big-endian", map[string][]byte{"input": npyBytes(">f4", "False", "2, 3", floats)}, `">f4"`},
		{"cut off", map[string][]byte{"input": npyBytes("<f4", "False", "2, 3", floats[:20])}, "needs 24 bytes, has 20"},
		{"no array", map[string][]byte{"input": []byte("text, and some more")}, "not a NumPy array"},
		{"labels", map[string][]byte{"input": npyBytes("<f4", "False", "3, 2", floats), "labels": labels}, "for 3 samples"},
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
			o.Input = "input"
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
