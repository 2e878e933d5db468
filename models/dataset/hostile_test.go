package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mpqc/mpqc/internal/tensor"
)

// claim packs data into a zip whose only entry says that it unpacks to so many bytes.
func claim(t *testing.T, name string, method uint16, data []byte, unpacked uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: method, CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(data)), UncompressedSize64: unpacked,
	})
	if err == nil {
		_, err = w.Write(data)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// restated changes the dimensions that a PNG or JPEG file states, with a PNG's checksum made good.
func restated(t *testing.T, file []byte, width, height uint32) []byte {
	t.Helper()
	b := bytes.Clone(file)
	if bytes.HasPrefix(b, []byte("\x89PNG")) {
		binary.BigEndian.PutUint32(b[16:], width)
		binary.BigEndian.PutUint32(b[20:], height)
		binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
		return b
	}
	at := bytes.Index(b, []byte{0xff, 0xc0})
	if at < 0 {
		t.Fatal("no frame header")
	}
	binary.BigEndian.PutUint16(b[at+5:], uint16(height))
	binary.BigEndian.PutUint16(b[at+7:], uint16(width))
	return b
}

func gz(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestHundredGigabytes: a file of a kilobyte that declares a hundred gigabytes is an error that says so, and takes no
// such memory.
func TestHundredGigabytes(t *testing.T) {
	jpg, pngFile := encoded(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	idx := append([]byte{0, 0, 8, 3}, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 100_000), 1000), 1000)...)
	bomb := gz(t, append(bytes.Clone(idx), make([]byte, 1<<20)...))
	npy := npyBytes("<f4", "False", "25000, 1000000", make([]byte, 64))
	for _, c := range []struct {
		name, file string
		data       []byte
		want       string
	}{
		{"PNG", "a.png", restated(t, pngFile, 350_000, 290_000), "350000 pixels is not readable"},
		{"PNG within the limit", "a.png", restated(t, pngFile, 11_000, 11_000), "more than it can hold"},
		{"JPEG", "a.jpg", restated(t, jpg, 65_500, 65_500), "65500 pixels is not readable"},
		{"JPEG within the limit", "a.jpg", restated(t, jpg, 11_000, 11_000), "more than it can hold"},
		{"IDX", "train-images-idx3-ubyte", append(idx, 1, 2, 3), "does not fit"},
		{"IDX, packed", "train-images-idx3-ubyte.gz", bomb, "does not fit"},
		{"CIFAR", "data_batch_1.bin", make([]byte, 1024), "no whole number of CIFAR records"},
		{"NPZ", "x.npz", archive(t, []string{"x.npy"}, npy), "does not fit"},
		{"NPZ, entry", "x.npz", claim(t, "x.npy", zip.Deflate, npy[:40], 100e9), "claims to unpack"},
		{"zip, packed image", "x.zip", claim(t, "a.png", zip.Deflate, pngFile, 100e9), "claims to unpack"},
		{"zip, stored image", "x.zip", claim(t, "a.png", zip.Store, pngFile, 100e9), "claims to unpack"},
		{"zip, packed CIFAR", "x.zip", claim(t, "data_batch_1.bin", zip.Deflate, make([]byte, 900), 100e9), "claims to unpack"},
		{"zip, wrong size", "x.zip", claim(t, "a.png", zip.Store, pngFile, 1), "not a valid zip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			if len(c.data) > 1<<12 {
				t.Fatalf("%d bytes are not few", len(c.data))
			}
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if isImage(c.file) {
				path = dir
			}
			o := plain("RGB")
			o.Input, o.Split = "x", All
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s, err := Open(path, o)
			if err == nil {
				err = errors.Join(s.Check(t.Context(), CheckOptions{}), s.Close())
			}
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("error %v, want %s with %q", err, c.file, c.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("%d bytes were allocated", n)
			}
		})
	}
}

// TestOverlap: entries that are the same bytes of the archive, by which a megabyte unpacks to a terabyte.
func TestOverlap(t *testing.T) {
	jpg, _ := encoded(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	plain := archive(t, []string{"cat/a.jpg"}, jpg)
	end := bytes.LastIndex(plain, []byte("PK\x05\x06"))
	dir := bytes.Index(plain, []byte("PK\x01\x02"))
	entry := plain[dir:end]
	const copies = 50
	b := append(bytes.Clone(plain[:dir]), bytes.Repeat(entry, copies)...)
	tail := bytes.Clone(plain[end:])
	binary.LittleEndian.PutUint16(tail[8:], copies)
	binary.LittleEndian.PutUint16(tail[10:], copies)
	binary.LittleEndian.PutUint32(tail[12:], uint32(copies*len(entry)))
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(path, append(b, tail...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openZip(path, Options{}); err == nil || !strings.Contains(err.Error(), "overlaps") {
		t.Error(err)
	}
}

// TestEscape: names that lead out of an archive are those of entries within, or errors; nothing else is opened.
func TestEscape(t *testing.T) {
	outer := t.TempDir()
	_, pngFile := encoded(t, image.NewGray(image.Rect(0, 0, 2, 2)))
	if err := os.WriteFile(filepath.Join(outer, "secret.png"), pngFile, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(outer, "sub", "x.zip")
	if err := os.Mkdir(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, names := range [][]string{
		{"../secret.png"},
		{"a/../../secret.png"},
		{"/etc/passwd.png"},
		{"..\\secret.png"},
		{"c:\\secret.png"},
		{"a/./b.png", "a/b.png"},
		{"a//b.png"},
		{"cat/\x00.png"},
		{"cat/" + strings.Repeat("n", 5000) + ".png"},
	} {
		red := image.NewNRGBA(image.Rect(0, 0, 3, 3))
		_, other := encoded(t, red)
		data := make([][]byte, len(names))
		for i := range data {
			data[i] = other
		}
		if err := os.WriteFile(path, archive(t, names, data...), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := openZip(path, Options{})
		if err != nil {
			continue
		}
		for i, it := range src.items {
			s, err := src.fetch(t.Context(), i, nil)
			if !fs.ValidPath(it.name) || err == nil && s.bitmap.width != 3 {
				t.Errorf("%q: item %q, %v", names, it.name, err)
			}
		}
		if err := src.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPipes: a pipe among the images is left out, as is every other file that is none.
func TestPipes(t *testing.T) {
	f := files(t, "a/0.png", "b/0.png")
	f["a/pipe.png"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	f["train-images-idx3-ubyte"] = &fstest.MapFile{Mode: fs.ModeSocket}
	if s := open(t, f, plain("GRAY")); s.src.items == nil || len(s.src.items) != 2 {
		t.Errorf("%d images", len(s.src.items))
	}
}

// TestNumbersOfNPZ: NaN and infinity in a sample are errors that name it; one in a hundred is replaced like any bad
// image.
func TestNumbersOfNPZ(t *testing.T) {
	const n = 200
	for _, c := range []struct {
		bad  map[int]float32
		want string
	}{
		{map[int]float32{7: float32(math.NaN())}, ""},
		{map[int]float32{7: float32(math.NaN()), 9: float32(math.Inf(-1)), 11: float32(math.Inf(1))}, "3 of 200 samples cannot be used, among them x[11]: value 2 is +Inf"},
	} {
		values := make([]float32, 3*n)
		for i, v := range c.bad {
			values[3*i+2] = v
		}
		path := filepath.Join(t.TempDir(), "x.npz")
		raw := tensor.From(tensor.Shape{n, 3}, values).Raw
		if err := os.WriteFile(path, archive(t, []string{"x.npy"}, npyBytes("<f4", "False", "200, 3", raw)), 0o600); err != nil {
			t.Fatal(err)
		}
		o := plain("RGB")
		o.Input, o.Shape, o.Split = "x", tensor.Shape{3}, All
		s, err := Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Check(t.Context(), CheckOptions{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
		if err == nil && (len(s.Bad()) != 1 || s.Bad()[0].String() != "x[7]: value 2 is NaN") {
			t.Errorf("bad samples %v", s.Bad())
		}
	}
}
