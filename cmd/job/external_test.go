package job

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestExternalData runs a model whose weights lie beside it: onnxruntime finds them, and they are part of what the
// model is.
func TestExternalData(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.Write(t, "external.onnx", sample.ExternalModel())
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
	sample.Arrays(t, "data.npz", map[string]any{
		"x.npy": [][4]float32{{9, 1, 0, 0}, {0, 9, 1, 0}, {0, 0, 9, 1}, {1, 0, 0, 9}}, "labels.npy": [][1]int64{{0}, {1}, {2}, {3}},
	})
	for _, c := range []struct {
		sign float32
		top1 string
	}{{1, `"top1": 1,`}, {-1, `"top1": 0,`}} {
		sample.Write(t, "weights.bin", identity(c.sign))
		code, stdout, stderr := program.Call(t, "eval", "external.onnx", "--data", "data.npz", "--preset", "raw", "--json")
		program.NeedRuntime(t, code, stderr)
		if code != exit.Done || !strings.Contains(stdout, c.top1) {
			t.Errorf("weights of %g: exit code %d: %s%s", c.sign, code, stdout, stderr)
		}
	}
	digests := map[string]bool{}
	for _, sign := range []float32{1, -1} {
		sample.Write(t, "weights.bin", identity(sign))
		if code, _, stderr := program.Call(t, "import", "external.onnx"); code != exit.Done {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		digests[string(sample.Read(t, "external.mpqc/manifest.json"))] = true
	}
	if len(digests) != 2 {
		t.Error("other weights are the same model")
	}
}
