package dataset

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

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

// contents lists "label:first pixel" of every image.
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
		{"no val", []string{"test/a/0.png", "train/a/0.png"}, Val, nil, nil, "split val has no samples"},
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
		{"nothing", []string{"readme.txt"}, All, nil, nil, "no images"},
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
