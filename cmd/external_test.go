package cmd

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestExternalData runs a model whose weights lie beside it: onnxruntime finds them, and they are part of what the model is.
func TestExternalData(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "external.onnx", externalModel())
	identity := func(sign float32) []byte {
		w := make([]float32, 16)
		for i := range 4 {
			w[5*i] = sign
		}
		raw, err := binary.Append(nil, binary.LittleEndian, w)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	arrays(t, "data.npz", map[string]any{
		"x.npy": [][4]float32{{9, 1, 0, 0}, {0, 9, 1, 0}, {0, 0, 9, 1}, {1, 0, 0, 9}}, "labels.npy": [][1]int64{{0}, {1}, {2}, {3}},
	})
	for _, c := range []struct {
		sign float32
		top1 string
	}{{1, `"top1": 1,`}, {-1, `"top1": 0,`}} {
		write(t, "weights.bin", identity(c.sign))
		code, stdout, stderr := call(t, "eval", "external.onnx", "--data", "data.npz", "--preset", "raw", "--json")
		needRuntime(t, code, stderr)
		if code != exitDone || !strings.Contains(stdout, c.top1) {
			t.Errorf("weights of %g: exit code %d: %s%s", c.sign, code, stdout, stderr)
		}
	}
	digests := map[string]bool{}
	for _, sign := range []float32{1, -1} {
		write(t, "weights.bin", identity(sign))
		if code, _, stderr := call(t, "import", "external.onnx"); code != exitDone {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		digests[string(read(t, "external.mpqc/manifest.json"))] = true
	}
	if len(digests) != 2 {
		t.Error("other weights are the same model")
	}
}

// arrays writes little-endian numpy arrays of two dimensions to an .npz file.
func arrays(t *testing.T, path string, content map[string]any) {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, rows := range content {
		kind, n, width := "<f4", 0, 4
		switch r := rows.(type) {
		case [][4]float32:
			n = len(r)
		case [][1]int64:
			kind, n, width = "<i8", len(r), 1
		}
		shape := fmt.Sprintf("(%d, %d)", n, width)
		if width == 1 {
			shape = fmt.Sprintf("(%d,)", n)
		}
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", kind, shape)
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := binary.Append(nil, binary.LittleEndian, rows)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(append(append(append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0), header...), data...))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
