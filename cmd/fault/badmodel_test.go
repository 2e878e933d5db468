package fault

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

func TestBadModels(t *testing.T) {
	t.Chdir(t.TempDir())
	good := sample.Read(t, sample.ModelFile(t, "good.onnx", nil))
	sample.PNGFolder(t, "samples", 1, 1)
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		want []string // in the message, besides the file's name
	}{
		{"empty", bytesFile(nil), []string{"is empty"}},
		{"text", bytesFile([]byte("this is not a model")), []string{"not an ONNX model"}},
		{"zeros", bytesFile(make([]byte, 100)), []string{"not an ONNX model"}},
		{"zip", bytesFile([]byte("PK\x03\x04 and more")), []string{"zip archive", "unpack"}},
		{"truncated", bytesFile(good[:len(good)-100]), []string{"truncated", "again"}},
		{"custom operator", func(t *testing.T, path string) {
			sample.ModelFile(t, path, func(m *onnx.Model) { sample.Insert(t, m, m.Graph.Nodes()[2], "Frobnicate", "com.acme") })
		}, []string{`node "odd"`, "com.acme.Frobnicate", "standard ONNX operators"}},
		{"no weights", func(t *testing.T, path string) {
			m := onnx.New(17)
			x, err := m.Graph.AddInput("x", 1, []int{-1, 8})
			if err != nil {
				t.Fatal(err)
			}
			n, err := m.Graph.AddNode(onnx.NodeSpec{Name: "relu", Op: "Relu", Inputs: []*onnx.Value{x}, Outputs: []string{"y"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			n.Outputs()[0].SetType(1, []int{-1, 8})
			if err := m.Graph.AddOutput(n.Outputs()[0]); err != nil {
				t.Fatal(err)
			}
			if err := m.Save(path); err != nil {
				t.Fatal(err)
			}
		}, []string{"no Conv, Gemm or MatMul with constant weights"}},
		{"open input size", func(t *testing.T, path string) {
			sample.ModelFile(t, path, func(m *onnx.Model) { m.Graph.Inputs()[0].SetType(1, []int{-1, 1, -1, -1}) })
		}, []string{"input ", "?x1x?x?", "fixed input size"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := strings.ReplaceAll(tc.name, " ", "-") + ".onnx"
			tc.make(t, path)
			for _, args := range [][]string{{"import", path}, {"compress", path, "--data", "samples"}} {
				code, stdout, stderr := program.Call(t, args...)
				if code != exit.Failed || stdout != "" {
					t.Errorf("%v: exit code %d, stdout %q", args, code, stdout)
				}
				for _, want := range append(tc.want, path) {
					if !strings.Contains(stderr, want) {
						t.Errorf("%v: %q is not in %s", args, want, stderr)
					}
				}
				if made, _ := filepath.Glob("*.mpqc"); len(made) > 0 {
					t.Errorf("%v: left behind %v", args, made)
				}
			}
		})
	}
}

func bytesFile(content []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		sample.Write(t, path, content)
	}
}

// TestMissingExternalData imports a model whose weights lie in a file that was not copied along.
func TestMissingExternalData(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.Write(t, "external.onnx", sample.ExternalModel())
	code, _, stderr := program.Call(t, "import", "external.onnx")
	if code != exit.Failed || !strings.Contains(stderr, "weights.bin is missing") || !strings.Contains(stderr, `tensor "w"`) || !strings.Contains(stderr, "copy it") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if made, _ := filepath.Glob("*.mpqc"); len(made) > 0 {
		t.Errorf("left behind %v", made)
	}
}

// TestUnsupportedOperator imports a model with an operator that ONNX knows and the training engine does not: the layers
// around it are planned, import warns, compress stops before any work with the node's name and the fix that import
// printed.
func TestUnsupportedOperator(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.ModelFile(t, "odd.onnx", func(m *onnx.Model) { sample.Insert(t, m, m.Graph.Nodes()[2], "Selu", "") })
	code, stdout, stderr := program.Call(t, "import", "odd.onnx")
	if code != exit.Done || !strings.Contains(stderr, `warning: mpqc compress will stop here`) || !strings.Contains(stdout, "! odd:") {
		t.Errorf("exit code %d: %s\n%s", code, stdout, stderr)
	}
	if !strings.Contains(stdout, "pointwise") || !strings.Contains(stdout, "operator has no quantized form") {
		t.Errorf("table: %s", stdout)
	}
	code, _, stderr = program.Call(t, "compress", "--data", sample.SmallData(t, t.TempDir(), 64, 32), "--epochs", "0")
	program.NeedRuntime(t, code, stderr)
	if code != exit.Failed || !strings.Contains(stderr, `node "odd" (Selu)`) || strings.Contains(stderr, "calibrate") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	const fix = "build this part of the model from other operators"
	if !strings.Contains(stdout, fix) || !strings.Contains(stderr, fix) {
		t.Errorf("import and compress name different fixes: %s\n%s", stdout, stderr)
	}
	if code, _, stderr = program.Call(t, "import", "odd.onnx"); code != exit.Done {
		t.Errorf("the workspace is not valid any more: exit code %d: %s", code, stderr)
	}
}
