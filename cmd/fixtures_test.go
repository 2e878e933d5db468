package cmd

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/models"
)

// small are settings with which the embedded example takes seconds.
var small = []string{"--calibrate-samples", "64", "--search-samples", "256", "--norm-samples", "128", "--bits", "3,4,8"}

// shared is one workspace of the embedded example that tests copy: calibrated, searched at 4 bit, exported, with
// fewer pictures than the example has.
var shared struct {
	once   sync.Once
	dir    string
	code   int
	stdout string
	stderr string
}

func TestMain(m *testing.M) {
	m.Run()
	for _, dir := range []string{shared.dir, program.dir} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// example changes into a new folder that holds example.mpqc, post-training at 4 bit with the small settings, and
// returns what `compress --json` printed when it was made.
func example(t *testing.T) (stdout string) {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "mpqc-example-*") //nolint:usetesting // outlives the test that makes it
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		data := smallData(t, dir, 512, 400)
		t.Chdir(dir)
		shared.code, shared.stdout, shared.stderr = call(t, append([]string{
			"compress", "--target", "4.0bit", "--epochs", "0", "--json", "--data", data,
		}, small...)...)
	})
	needRuntime(t, shared.code, shared.stderr)
	if shared.code != exitDone {
		t.Fatalf("exit code %d: %s", shared.code, shared.stderr)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "example.mpqc"), os.DirFS(filepath.Join(shared.dir, "example.mpqc"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return shared.stdout
}

// needRuntime ends a test where onnxruntime is missing.
func needRuntime(t *testing.T, code int, stderr string) {
	t.Helper()
	if code == exitFailed && strings.Contains(stderr, "onnxruntime is not available") {
		testkit.Missing(t, "%s", stderr)
	}
}

// smallData writes the first pictures of the embedded example as IDX files to dir/data.
func smallData(t *testing.T, dir string, train, test int) string {
	t.Helper()
	for name, n := range map[string]int{
		"train-images-idx3-ubyte.gz": train, "train-labels-idx1-ubyte.gz": train, "t10k-images-idx3-ubyte.gz": test, "t10k-labels-idx1-ubyte.gz": test,
	} {
		header, items := idxFile(t, name)
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
		write(t, filepath.Join(dir, "data", name), b.Bytes())
	}
	return filepath.Join(dir, "data")
}

// idxFile splits a file of the embedded example into its header and one slice per picture or label.
func idxFile(t *testing.T, name string) (header []byte, items [][]byte) {
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

// pngFolder writes pictures of the embedded example as <split>/<class>/<number>.png.
func pngFolder(t *testing.T, dir string, train, test int) {
	t.Helper()
	for split, n := range map[string]int{"train": train, "t10k": test} {
		_, pictures := idxFile(t, split+"-images-idx3-ubyte.gz")
		_, labels := idxFile(t, split+"-labels-idx1-ubyte.gz")
		folder := map[string]string{"train": "train", "t10k": "test"}[split]
		for i := range n {
			p := &image.Gray{Pix: pictures[i], Stride: 28, Rect: image.Rect(0, 0, 28, 28)}
			var b bytes.Buffer
			if err := png.Encode(&b, p); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, folder, "class"+string('0'+rune(labels[i][0])), pictureName(i)), b.Bytes())
		}
	}
}

func pictureName(i int) string {
	const digits = "0123456789"
	return string([]byte{digits[i/100%10], digits[i/10%10], digits[i%10]}) + ".png"
}

// grey is a PNG of one colour.
func grey(t *testing.T, width, height int) []byte {
	t.Helper()
	p := image.NewGray(image.Rect(0, 0, width, height))
	for i := range p.Pix {
		p.Pix[i] = color.Gray{Y: 128}.Y
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sourceDir is the folder of this package, wherever a test has changed to.
func sourceDir(t *testing.T) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the source of the tests is not known")
	}
	return filepath.Dir(file)
}
