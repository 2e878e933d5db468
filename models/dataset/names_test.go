package dataset

import (
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// writeZip packs images of value 0, 1, ... under these names, in this order; names that end like folders are empty.
func writeZip(t *testing.T, names ...string) string {
	t.Helper()
	data := make([][]byte, len(names))
	for i, n := range names {
		if !strings.HasSuffix(n, "/") && !strings.HasSuffix(n, `\`) {
			data[i] = dot(t, 2, uint8(i))
		}
	}
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(path, archive(t, names, data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOddNames reads names that Windows, old zip programs and other encodings make.
func TestOddNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   []string
		classes []string
		items   []string // in their order, each with the number of its file
	}{
		{"backslashes", []string{`train\dog\0.png`, `train\`, `train\dog\`, `train\cat\1.png`}, []string{"cat", "dog"}, []string{"train/cat/1.png 3", "train/dog/0.png 0"}},
		{"Latin-1", []string{"chien/\xe9t\xe9.png", "caf\xe9/1.png"}, []string{`"caf\xe9"`, "chien"}, []string{`"caf\xe9/1.png" 1`, `"chien/\xe9t\xe9.png" 0`}},
		{"line breaks", []string{"a\nb/0.png", "c/1.png"}, []string{`"a\nb"`, "c"}, []string{`"a\nb/0.png" 0`, "c/1.png 1"}},
		{"order of a walk", []string{"a-b/0.png", "a/1.png", "a.b/2.png"}, []string{"a", "a-b", "a.b"}, []string{"a/1.png 1", "a-b/0.png 0", "a.b/2.png 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(writeZip(t, c.files...), plain("GRAY"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			checkNames(t, s, c.classes, c.items)
			names := c.files
			if c.name == "backslashes" { // on disk these are part of a name
				return
			}
			dir := filepath.Join(t.TempDir(), "p\xe9")
			for i, n := range names {
				path := filepath.Join(dir, filepath.FromSlash(n))
				err := os.MkdirAll(filepath.Dir(path), 0o750)
				if err == nil {
					err = os.WriteFile(path, dot(t, 2, uint8(i)), 0o600)
				}
				if errors.Is(err, syscall.EILSEQ) || errors.Is(err, syscall.EINVAL) {
					t.Skipf("this file system has no such names: %v", err)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			onDisk, err := Open(dir, plain("GRAY"))
			if err != nil {
				t.Fatal(err)
			}
			checkNames(t, onDisk, c.classes, c.items)
		})
	}
}

func checkNames(t *testing.T, s *Set, classes, items []string) {
	t.Helper()
	if d := cmp.Diff(classes, s.Classes()); d != "" {
		t.Error(d)
	}
	var got []string
	for i, content := range contents(t, s) {
		_, value, _ := strings.Cut(content, ":")
		got = append(got, s.Name(i)+" "+value)
		if !utf8.ValidString(s.Name(i)) {
			t.Errorf("name %q is not printable", s.Name(i))
		}
	}
	if d := cmp.Diff(items, got); d != "" {
		t.Error(d)
	}
}

// TestOddNamesOfBadImages: a image that cannot be read is named in one line.
func TestOddNamesOfBadImages(t *testing.T) {
	_, good := encoded(t, image.NewGray(image.Rect(0, 0, 2, 2)))
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(path, archive(t, []string{"a/\xe9.png", "a/b.png"}, []byte("no image"), good), 0o600); err != nil {
		t.Fatal(err)
	}
	o := plain("GRAY")
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Check(t.Context(), CheckOptions{}); err == nil || !strings.Contains(err.Error(), `x.zip: at least 1 of 2 samples cannot be used, among them "a/\xe9.png"`) {
		t.Errorf("error %v", err)
	}
}

// TestArchiveHoldsNameTwice: two entries that stand for one path are an error, not two images.
func TestArchiveHoldsNameTwice(t *testing.T) {
	for _, names := range [][]string{{"a/0.png", "a/0.png"}, {"a/0.png", `a\0.png`}, {"a/./0.png", "/a/0.png"}} {
		_, err := Open(writeZip(t, names...), plain("GRAY"))
		if err == nil || !strings.Contains(err.Error(), "holds a/0.png twice: pack it anew") {
			t.Errorf("%q: %v", names, err)
		}
	}
}

// TestOddNamesOfSingleFiles opens files in a folder and of names that are no UTF-8.
func TestOddNamesOfSingleFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "\xe9")
	if err := os.Mkdir(dir, 0o750); errors.Is(err, syscall.EILSEQ) {
		t.Skipf("this file system has no such names: %v", err)
	}
	images, labels := idxBytes([]int{2, 1, 1}, []byte{4, 5}), idxBytes([]int{2}, []byte{1, 0})
	for name, data := range map[string][]byte{
		"\xe8-images-idx3-ubyte": images, "\xe8-labels-idx1-ubyte": labels, "\xe8.bin": make([]byte, 2*(cifarPixels+1)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"\xe8-images-idx3-ubyte": "1:4 0:5", "\xe8.bin": "0:0 0:0"} {
		s, err := Open(filepath.Join(dir, name), plain("GRAY"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(contents(t, s), " "); got != want {
			t.Errorf("%q holds %s, want %s", name, got, want)
		}
		if !utf8.ValidString(s.Name(0)) {
			t.Errorf("name %q is not printable", s.Name(0))
		}
	}
}
