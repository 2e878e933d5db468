package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// flagged is a zip of one stored entry with bits set in its header, and another method than it has.
func flagged(t *testing.T, name string, flags, method uint16, data []byte) []byte {
	t.Helper()
	b := claim(t, name, zip.Store, data, uint64(len(data)))
	local, dir := bytes.Index(b, []byte("PK\x03\x04")), bytes.Index(b, []byte("PK\x01\x02"))
	for _, at := range []int{local + 6, dir + 8} {
		binary.LittleEndian.PutUint16(b[at:], flags)
		binary.LittleEndian.PutUint16(b[at+2:], method)
	}
	return b
}

// linked is a zip of a image and of a symbolic link to it.
func linked(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	link := &zip.FileHeader{Name: "b/1.png"}
	link.SetMode(fs.ModeSymlink | 0o777)
	for _, h := range []*zip.FileHeader{{Name: "a/0.png"}, link} {
		w, err := z.CreateHeader(h)
		if err == nil {
			content := data
			if h == link {
				content = []byte("../a/0.png")
			}
			_, err = w.Write(content)
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

// TestPacking: archives that cannot be read say why, and what to do, before any image is decoded.
func TestPacking(t *testing.T) {
	jpg, pngFile := encoded(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	bomb := append(bytes.Clone(jpg[:len(jpg)-2]), bytes.Repeat([]byte{0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0}, maxScans)...)
	for _, tc := range []struct {
		name, file string
		data       []byte
		want       string
	}{
		{"encrypted", "x.zip", flagged(t, "a.png", 1, zip.Store, pngFile), `entry "a.png" is encrypted: unpack the archive with its password`},
		{"encrypted by AES", "x.zip", flagged(t, "a.png", 1, 99, pngFile), "is encrypted"},
		{"encrypted arrays", "x.npz", flagged(t, "x.npy", 1, zip.Store, pngFile), "is encrypted"},
		{"Zstandard", "x.zip", flagged(t, "a.png", 0, 93, pngFile), "is packed by Zstandard, which is not read: pack the archive anew"},
		{"unknown method", "x.zip", flagged(t, "a.png", 0, 77, pngFile), "is packed by method 77"},
		{"link", "x.zip", linked(t, pngFile), "b/1.png: it is a symbolic link"},
		{"archives in an archive", "x.zip", archive(t, []string{"a.zip", "b.zip", "c.txt"}, nil, nil, nil), "no images in it, but 2 .zip, which are not read: unpack"},
		{"WebP by name", "x.zip", archive(t, []string{"a/0.webp", "b/0.gif"}, nil, nil), "but 1 .gif, which are not read"},
		{"folders alone", "x.zip", archive(t, []string{"a/", "b/"}, nil, nil), "no images in it; expected"},
		{"what systems add alone", "x.zip", archive(t, []string{"__MACOSX/a/._0.png", "a/.hidden.png", ".b/0.png"}, nil, nil, nil), "no images in it; expected"},
		{"no archive", "x.zip", []byte("PK\x03\x04 and no more"), "not a valid zip file"},
		{"empty archive", "x.zip", nil, "not a valid zip file"},
		{"WebP as JPEG", "a.jpg", []byte("RIFF\x10\x00\x00\x00WEBPVP8 "), "a.jpg: it is a WebP and neither JPEG nor PNG: convert it"},
		{"GIF as PNG", "a.png", []byte("GIF89a\x01\x00\x01\x00"), "a.png: it is a GIF"},
		{"web page as JPEG", "a.jpg", []byte("<html>not found"), "a.jpg: it is a text file"},
		{"pointer as PNG", "a.png", []byte("version https://git-lfs.github.com/spec/v1"), "a Git LFS pointer"},
		{"empty image", "a.png", nil, "the file is empty or cut off"},
		{"a thousand scans", "a.jpg", bomb, "scans, more than the 500 of any encoder"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tc.file)
			if err := os.WriteFile(path, tc.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if isImage(tc.file) {
				path = filepath.Dir(path)
			}
			o := plain("GRAY")
			o.Input, o.Split = "x", All
			s, err := Open(path, o)
			if err == nil {
				defer func() { _ = s.Close() }()
				err = s.Check(t.Context(), CheckOptions{})
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// TestScans: a film behind a image, and previews within it, are no scans of its.
func TestScans(t *testing.T) {
	jpg, _ := encoded(t, image.NewRGBA(image.Rect(0, 0, 64, 64)))
	fake := bytes.Repeat([]byte{0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0}, 2*maxScans)
	segment := append([]byte{0xff, 0xd8, 0xff, 0xe1, byte((len(fake) + 2) >> 8), byte(len(fake) + 2)}, fake...)
	progressive, err := os.ReadFile(filepath.Join("testdata", "progressive-rgb.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		data []byte
		want int
	}{
		{"plain", jpg, 1},
		{"film behind", append(bytes.Clone(jpg), fake...), 1},
		{"preview", append(segment, jpg[2:]...), 1},
		{"progressive", progressive, 10},
		{"cut off", jpg[:len(jpg)/2], 0},
		{"nothing", nil, 0},
		{"within a length", []byte{0xff, 0xd8, 0xff, 0xe0, 0}, 0},
		{"no end", append(bytes.Clone(jpg[:len(jpg)-2]), fake...), 2*maxScans + 1},
	} {
		if got := scans(tc.data); got != tc.want {
			t.Errorf("%s: %d scans, want %d", tc.name, got, tc.want)
		}
	}
	for _, data := range [][]byte{append(bytes.Clone(jpg), fake...), append(segment, jpg[2:]...)} {
		if _, err := decodeImage(t.Context(), data); err != nil {
			t.Error(err)
		}
	}
}

// TestRoomInMemory: data that is in memory as a whole and does not fit there is refused by what its header says.
func TestRoomInMemory(t *testing.T) {
	images := idxBytes([]int{3, 20, 20}, make([]byte, 1200))
	floats := npyBytes("<f4", "False", "100, 3", make([]byte, 1200))
	record := make([]byte, cifarPixels+1)
	for name, data := range map[string][]byte{
		"train-images-idx3-ubyte": images, "train-images-idx3-ubyte.gz": gz(t, images), "x.npz": archive(t, []string{"x.npy"}, floats),
		"a.bin": record, "x.zip": archive(t, []string{"train-images-idx3-ubyte", "test-images-idx3-ubyte"}, images, images),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o := plain("GRAY")
		o.Input, o.Split = "x", All
		for _, limit := range []int64{1000, 10_000} {
			o.MaxMemory = limit
			s, err := Open(path, o)
			if err == nil {
				_ = s.Close()
			}
			if fits := limit > 1000; fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "there is room for") {
				t.Errorf("%s, limit %d: %v", name, limit, err)
			}
		}
	}
}

// TestFilesGo: images that are removed or replaced between listing and decoding are named.
func TestFilesGo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/0.png", "a/1.png", "b/2.png"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, dot(t, 2, 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(path string) error{
		"a/0.png": os.Remove,
		"a/1.png": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"b/2.png": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o750)
		},
	} {
		s, err := Open(dir, plain("GRAY"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context(), CheckOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, dot(t, 2, 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenFS(fstest.MapFS{}, "nothing", plain("GRAY")); err == nil {
		t.Error("an empty folder is a data set")
	}
}
