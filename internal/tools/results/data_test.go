package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestPerOperation(t *testing.T) {
	ns, err := perOperation("goos: linux\nBenchmarkBatch/CIFAR-10-2   \t   20000\t     61250.5 ns/op\t 10 B/op\nPASS\n")
	if err != nil || ns != 61250.5 {
		t.Errorf("%v, %v", ns, err)
	}
	if _, err := perOperation("PASS\nok\n"); err == nil {
		t.Error("no benchmark is no error")
	}
}

// TestRepack: more samples than the archive has, of all classes, each readable.
func TestRepack(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from.zip"), filepath.Join(t.TempDir(), "to.zip")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"test/a/0.jpg", "test/b/0.jpg", "train/a/0.jpg"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(from, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := repack(from, to, 7); err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(to)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	seen := map[string]int{}
	for i, f := range r.File {
		c, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(content)]++
		if class := content[bytes.IndexByte(content, '/')+1]; f.Name != fmt.Sprintf("%c/%06d.jpg", class, i) {
			t.Errorf("%s holds %s", f.Name, content)
		}
	}
	if len(r.File) != 7 || len(seen) != 3 {
		t.Errorf("%d entries: %v", len(r.File), seen)
	}
}
