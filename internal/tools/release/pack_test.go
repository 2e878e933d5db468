package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/internal/testkit"
)

func entries() []entry {
	return []entry{{name: "mpqc", data: bytes.Repeat([]byte("program"), 1000), program: true}, {name: "man/mpqc.1", data: []byte(".TH\n")}, {name: "LICENSE", data: nil}}
}

// TestPack: the order and the hour of packing leave no trace, and what was packed comes out.
func TestPack(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, ending := range []string{".tar.gz", ".zip"} {
		t.Run(ending, func(t *testing.T) {
			var packed [][]byte
			for i, zone := range []*time.Location{time.UTC, time.FixedZone("elsewhere", 3600)} {
				name := filepath.Join(t.TempDir(), "a"+ending)
				list := entries()
				if i == 1 {
					slices.Reverse(list)
				}
				if err := pack(name, "mpqc-1", list, at.In(zone)); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				packed = append(packed, data)
			}
			if !bytes.Equal(packed[0], packed[1]) {
				t.Error("two archives of the same files differ")
			}
			got := read(t, packed[0], ending)
			want := []string{"mpqc-1/LICENSE -rw-r--r-- 0 1700000000", "mpqc-1/man/mpqc.1 -rw-r--r-- 4 1700000000", "mpqc-1/mpqc -rwxr-xr-x 7000 1700000000"}
			if !slices.Equal(got, want) {
				t.Errorf("archive holds %q, want %q", got, want)
			}
		})
	}
}

func read(t *testing.T, data []byte, ending string) (lines []string) {
	t.Helper()
	if ending == ".zip" {
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			lines = append(lines, fmt.Sprintf("%s %v %d %d", f.Name, f.Mode(), f.UncompressedSize64, f.Modified.Unix()))
		}
		return lines
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %v %d %d", h.Name, h.FileInfo().Mode(), h.Size, h.ModTime.Unix()))
	}
}

// TestSums asks sha256sum.
func TestSums(t *testing.T) {
	program, err := exec.LookPath("sha256sum")
	if err != nil {
		testkit.Missing(t, "%v", err)
	}
	dir := t.TempDir()
	var archives []string
	for _, name := range []string{"b.zip", "a.tar.gz"} {
		path := filepath.Join(dir, name)
		if err := pack(path, "x", entries(), time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, path)
	}
	if err := sums(filepath.Join(dir, "SHA256SUMS"), archives); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "-c", "SHA256SUMS")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil || string(out) != "a.tar.gz: OK\nb.zip: OK\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestArguments(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"", "-zig is missing"}, {"-zig zig -platforms plan9/mips", `no platform "plan9/mips"`},
	} {
		if err := run(t.Context(), strings.Fields(tc.args), io.Discard); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want %q", tc.args, err, tc.want)
		}
	}
	some, err := choose(platforms(), "windows/amd64,linux/arm64")
	if err != nil || len(some) != 2 || some[0].archive() != ".zip" || some[0].program() != "mpqc.exe" || some[1].archive() != ".tar.gz" {
		t.Errorf("%+v %v", some, err)
	}
}

// TestLibraries: the version of the modules is the one go.mod pins, and the lookup of package ort knows the names.
func TestLibraries(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if pin := libraries + "linux " + strings.TrimPrefix(librariesTag, "@"); !strings.Contains(string(mod), pin) {
		t.Errorf("go.mod does not pin %s", pin)
	}
	known := map[string]string{"linux": "libonnxruntime.so", "darwin": "libonnxruntime.dylib", "windows": "onnxruntime.dll"}
	for _, p := range platforms() {
		if filepath.Base(p.library) != known[p.os] {
			t.Errorf("%s: library %s, which package ort does not look for", p.name(), p.library)
		}
	}
}

// TestLicences: every module that the program is made of has one.
func TestLicences(t *testing.T) {
	b := &builder{commit: commit{dir: filepath.Join("..", "..", "..")}}
	text, err := b.notices(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Microsoft Corporation", "The Go Authors", "Zalando", "github.com/urfave/cli/v2 v2.", "github.com/yalue/onnxruntime_go v1."} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the notices lack %q", want)
		}
	}
}
