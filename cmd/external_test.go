package cmd

import (
	"encoding/binary"
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
