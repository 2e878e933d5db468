package dataset

import (
	"archive/zip"
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func memoryFile(b []byte) *fstest.MapFile { return &fstest.MapFile{Data: b} }

// drain fetches what a reader found. Errors are fine; panics and endless allocation are not.
func drain(t *testing.T, src *source, err error) {
	t.Helper()
	if err != nil {
		return
	}
	for i := range min(len(src.items), 8) {
		s, err := src.fetch(t.Context(), i, nil)
		if err == nil && s.bitmap != nil && len(s.bitmap.pix) != s.bitmap.width*s.bitmap.height*s.bitmap.channels {
			t.Errorf("item %d: %d values for %dx%dx%d", i, len(s.bitmap.pix), s.bitmap.height, s.bitmap.width, s.bitmap.channels)
		}
	}
}

// archive packs files in order into a zip.
func archive(t testing.TB, names []string, data ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, name := range names {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encoded(t testing.TB, m image.Image) (jpg, pngFile []byte) {
	t.Helper()
	var a, b bytes.Buffer
	if err := jpeg.Encode(&a, m, nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

func FuzzImage(f *testing.F) {
	for _, m := range []image.Image{image.NewGray(image.Rect(0, 0, 9, 5)), image.NewNRGBA(image.Rect(0, 0, 5, 9)), image.NewCMYK(image.Rect(0, 0, 3, 3))} {
		jpg, pngFile := encoded(f, m)
		f.Add(jpg)
		f.Add(pngFile)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodeImage(t.Context(), data)
		if err == nil {
			p.upright(orientation(data))
		}
	})
}

func FuzzIDX(f *testing.F) {
	f.Add(idxBytes([]int{2, 2, 3}, make([]byte, 12)), idxBytes([]int{2}, []byte{1, 0}), false)
	f.Add(idxBytes([]int{1, 2, 2, 3}, make([]byte, 12)), []byte{}, true)
	f.Add([]byte{0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1}, []byte{0x1f, 0x8b}, false)
	f.Fuzz(func(t *testing.T, images, labels []byte, packed bool) {
		if packed {
			images, labels = gz(t, images), gz(t, labels)
		}
		src, err := openFiles(fstest.MapFS{"train-images-idx3-ubyte": memoryFile(images), "train-labels-idx1-ubyte": memoryFile(labels)}, Options{})
		drain(t, src, err)
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(make([]byte, cifarPixels+1))
	f.Add(make([]byte, 2*(cifarPixels+2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := openFiles(fstest.MapFS{"data_batch_1.bin": memoryFile(data)}, Options{})
		drain(t, src, err)
	})
}

func FuzzNPZ(f *testing.F) {
	f.Add(npyBytes("<f4", "False", "2, 3", make([]byte, 24)), npyBytes("<i8", "False", "2,", make([]byte, 16)))
	f.Add(npyBytes("|u1", "False", "1, 2, 2, 3", make([]byte, 12)), []byte{})
	f.Add(npyBytes("<f4", "False", "4294967296, 4294967296", nil), []byte{})
	f.Add(npyBytes("<f4", "False", "100000000000, 0", nil), []byte{})
	path := filepath.Join(f.TempDir(), "x.npz")
	f.Fuzz(func(t *testing.T, x, labels []byte) {
		if err := os.WriteFile(path, archive(t, []string{"x.npy", "labels.npy"}, x, labels), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := readNPZ(path, Options{Input: "x"})
		drain(t, src, err)
	})
}

func FuzzZip(f *testing.F) {
	jpg, pngFile := encoded(f, image.NewGray(image.Rect(0, 0, 2, 2)))
	f.Add(archive(f, []string{"train/cat/a.jpg", "train/dog/b.png"}, jpg, pngFile))
	f.Add(archive(f, []string{"../../etc/a.jpg", "/abs/b.png", "c\\d\\e.jpg", "x/./y/../z.jpg"}, jpg, pngFile, jpg, jpg))
	f.Add(archive(f, []string{"odd names/ä ö.jpg", "odd names/\x00.jpg", ".hidden/x.jpg", "__MACOSX/._a.jpg"}, jpg, jpg, jpg, jpg))
	f.Add(archive(f, []string{"caf\xe9\\1.jpg", "caf\xe9/\xff.png", "a\\", "a/b.jpg", "a\\b.jpg"}, jpg, pngFile, nil, jpg, jpg))
	path := filepath.Join(f.TempDir(), "x.zip")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := openZip(path, Options{})
		drain(t, src, err)
		if err == nil {
			for _, it := range src.items {
				name := it.name
				if at := strings.LastIndex(name, "["); at > 0 && strings.HasSuffix(name, "]") { // a record of a file
					name = name[:at]
				}
				if !fs.ValidPath(name) {
					t.Errorf("item %q", it.name)
				}
			}
			if err := src.close(); err != nil {
				t.Error(err)
			}
		}
	})
}
