package cmd

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

// modelFile writes the embedded network, changed, to a file and returns its name.
func modelFile(t *testing.T, name string, change func(m *onnx.Model)) string {
	t.Helper()
	data, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(m)
	}
	if data, err = m.Marshal(); err != nil {
		t.Fatal(err)
	}
	write(t, name, data)
	return name
}

// insert puts a node between a value and everything that reads it.
func insert(t *testing.T, m *onnx.Model, op, domain string) {
	t.Helper()
	if domain != "" {
		m.SetOpset(domain, 1)
	}
	at := m.Graph.Nodes()[2]
	x := at.Inputs()[0]
	n, err := m.Graph.AddNode(onnx.NodeSpec{Name: "odd", Op: op, Domain: domain, Inputs: []*onnx.Value{x}, Outputs: []string{"odd_out"}}, at)
	if err != nil {
		t.Fatal(err)
	}
	at.SetInput(0, n.Outputs()[0])
}

func TestBadModels(t *testing.T) {
	t.Chdir(t.TempDir())
	good := read(t, modelFile(t, "good.onnx", nil))
	pngFolder(t, "pictures", 1, 1)
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
			modelFile(t, path, func(m *onnx.Model) { insert(t, m, "Frobnicate", "com.acme") })
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
		{"open picture size", func(t *testing.T, path string) {
			modelFile(t, path, func(m *onnx.Model) { m.Graph.Inputs()[0].SetType(1, []int{-1, 1, -1, -1}) })
		}, []string{"input ", "?x1x?x?", "fixed picture size"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := strings.ReplaceAll(tc.name, " ", "-") + ".onnx"
			tc.make(t, path)
			for _, args := range [][]string{{"import", path}, {"compress", path, "--data", "pictures"}} {
				code, stdout, stderr := call(t, args...)
				if code != exitFailed || stdout != "" {
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
		write(t, path, content)
	}
}

// TestMissingExternalData imports a model whose weights lie in a file that was not copied along.
func TestMissingExternalData(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "external.onnx", externalModel())
	code, _, stderr := call(t, "import", "external.onnx")
	if code != exitFailed || !strings.Contains(stderr, "weights.bin is missing") || !strings.Contains(stderr, `tensor "w"`) || !strings.Contains(stderr, "copy it") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if made, _ := filepath.Glob("*.mpqc"); len(made) > 0 {
		t.Errorf("left behind %v", made)
	}
}

// externalModel is a MatMul in protobuf's wire format whose weights stand in weights.bin.
func externalModel() []byte {
	field := func(num byte, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		return append([]byte{num<<3 | 2, byte(len(body))}, body...)
	}
	value := func(name string, dims ...byte) []byte {
		var shape []byte
		for _, d := range dims {
			shape = append(shape, field(1, []byte{1 << 3, d})...)
		}
		return append(field(1, []byte(name)), field(2, field(1, []byte{1 << 3, 1}, field(2, shape)))...)
	}
	entry := append(field(1, []byte("location")), field(2, []byte("weights.bin"))...)
	weights := bytes.Join([][]byte{{1 << 3, 4, 1 << 3, 4, 2 << 3, 1}, field(8, []byte("w")), field(13, entry), {14 << 3, 1}}, nil)
	node := bytes.Join([][]byte{field(1, []byte("x")), field(1, []byte("w")), field(2, []byte("y")), field(4, []byte("MatMul"))}, nil)
	graph := bytes.Join([][]byte{field(1, node), field(2, []byte("g")), field(5, weights), field(11, value("x", 1, 4)), field(12, value("y", 1, 4))}, nil)
	return bytes.Join([][]byte{{1 << 3, 8}, field(7, graph), field(8, []byte{2 << 3, 17})}, nil)
}

// TestUnsupportedOperator imports a model with an operator that ONNX knows and the training engine does not: the layers
// around it are planned, import warns, compress stops before any work with the node's name and the fix that import printed.
func TestUnsupportedOperator(t *testing.T) {
	t.Chdir(t.TempDir())
	modelFile(t, "odd.onnx", func(m *onnx.Model) { insert(t, m, "Selu", "") })
	code, stdout, stderr := call(t, "import", "odd.onnx")
	if code != exitDone || !strings.Contains(stderr, `warning: mpqc compress will stop here`) || !strings.Contains(stdout, "! odd:") {
		t.Errorf("exit code %d: %s\n%s", code, stdout, stderr)
	}
	if !strings.Contains(stdout, "pointwise") || !strings.Contains(stdout, "operator has no quantized form") {
		t.Errorf("table: %s", stdout)
	}
	code, _, stderr = call(t, "compress", "--data", smallData(t, t.TempDir(), 64, 32), "--epochs", "0")
	needRuntime(t, code, stderr)
	if code != exitFailed || !strings.Contains(stderr, `node "odd" (Selu)`) || strings.Contains(stderr, "calibrate") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	const fix = "build this part of the model from other operators"
	if !strings.Contains(stdout, fix) || !strings.Contains(stderr, fix) {
		t.Errorf("import and compress name different fixes: %s\n%s", stdout, stderr)
	}
	if code, _, stderr = call(t, "import", "odd.onnx"); code != exitDone {
		t.Errorf("the workspace is not valid any more: exit code %d: %s", code, stderr)
	}
}

func TestBadPictures(t *testing.T) {
	t.Chdir(t.TempDir())
	modelFile(t, "model.onnx", nil)
	compress := func(data string, more ...string) (int, string, string) {
		return call(t, append([]string{
			"compress", "model.onnx", "--data", data, "--epochs", "0", "--calibrate-samples", "16", "--search-samples", "8",
			"--norm-samples", "16", "--bits", "8", "--quiet",
		}, more...)...)
	}
	pngFolder(t, "good", 128, 200)

	t.Run("one corrupt picture", func(t *testing.T) {
		pngFolder(t, "corrupt", 128, 200)
		broken := corrupt(t, "corrupt/test", 1)
		write(t, "corrupt.zip", zipped(t, os.DirFS("corrupt")))
		code, _, stderr := compress("corrupt.zip")
		needRuntime(t, code, stderr)
		if code != exitDone || !strings.Contains(stderr, "1 test picture cannot be used") || !strings.Contains(stderr, broken[0]) {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		code, stdout, stderr := call(t, "eval", "model.onnx", "--data", "corrupt.zip", "--json")
		if code != exitDone || !strings.Contains(stdout, `"n": 199,`) {
			t.Errorf("exit code %d: %s%s", code, stdout, stderr)
		}
		_ = os.RemoveAll("model.mpqc")
	})
	t.Run("too many corrupt pictures", func(t *testing.T) {
		corrupt(t, "corrupt/test", 5)
		code, _, stderr := compress("corrupt")
		if code != exitFailed || !strings.Contains(stderr, "of 200 pictures cannot be used, among them test/") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		_ = os.RemoveAll("model.mpqc")
	})
	t.Run("wrong size", func(t *testing.T) {
		for i := range 10 {
			for _, split := range []string{"train", "test"} {
				write(t, filepath.Join("large", split, "class"+string('0'+rune(i)), "a.png"), grey(t, 40, 30))
			}
		}
		code, _, stderr := compress("large")
		if code != exitFailed || !strings.Contains(stderr, "at least 1 of 10 pictures") || !strings.Contains(stderr, "1x30x40") || !strings.Contains(stderr, "1x28x28") || !strings.Contains(stderr, "--resize") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		if code, _, stderr = compress("large", "--resize", "28x28"); code != exitDone {
			t.Errorf("exit code %d with --resize: %s", code, stderr)
		}
		_ = os.RemoveAll("model.mpqc")
	})
	t.Run("other classes", func(t *testing.T) {
		if err := os.RemoveAll("good/train/class3"); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll("good/test/class3"); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := compress("good")
		if code != exitUsage || !strings.Contains(stderr, "9 classes, the model 10 outputs") || !strings.Contains(stderr, "--no-labels") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		code, stdout, stderr := compress("good", "--no-labels", "--json")
		if code != exitDone || !strings.Contains(stdout, `"top1": null`) || strings.Contains(stdout, `"agreement": 0,`) {
			t.Errorf("without labels: exit code %d: %s%s", code, stdout, stderr)
		}
	})
}

// TestForeignLabels: a label beyond the outputs of the model is named with its picture.
func TestForeignLabels(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	modelFile(t, "model.onnx", nil)
	data := smallData(t, dir, 16, 16)
	header, items := idxFile(t, "t10k-labels-idx1-ubyte.gz")
	binary.BigEndian.PutUint32(header[4:], 16)
	labels := append(header, bytes.Join(items[:16], nil)...)
	labels[len(header)+5] = 10
	write(t, filepath.Join(data, "t10k-labels-idx1-ubyte.gz"), labels)
	code, _, stderr := call(t, "eval", "model.onnx", "--data", data)
	needRuntime(t, code, stderr)
	for _, want := range []string{"t10k-images-idx3-ubyte.gz[5] has label 10", "10 outputs", "from 0 to 9", "--no-labels"} {
		if code != exitUsage || !strings.Contains(stderr, want) || strings.Contains(stderr, "folders") {
			t.Errorf("exit code %d, want %q in %s", code, want, stderr)
		}
	}
	if code, stdout, stderr := call(t, "eval", "model.onnx", "--data", data, "--no-labels", "--json"); code != exitDone || !strings.Contains(stdout, `"loss": null`) {
		t.Errorf("without labels: exit code %d: %s%s", code, stdout, stderr)
	}
}

// TestAgainstAnother: a model that takes other pictures cannot be compared with.
func TestAgainstAnother(t *testing.T) {
	model := testkit.Shared(t, "models/resnet20-cifar10.onnx")
	dir := t.TempDir()
	t.Chdir(dir)
	modelFile(t, "model.onnx", nil)
	code, _, stderr := call(t, "eval", "model.onnx", "--data", smallData(t, dir, 16, 16), "--against", model)
	needRuntime(t, code, stderr)
	if code != exitUsage || !strings.Contains(stderr, "resnet20-cifar10.onnx: it takes ") || !strings.Contains(stderr, "1x28x28") || !strings.Contains(stderr, "same input") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// corrupt cuts off the first n pictures below a folder and returns their names.
func corrupt(t *testing.T, folder string, n int) []string {
	t.Helper()
	var names []string
	paths, err := filepath.Glob(folder + "/*/*.png")
	if err != nil || len(paths) < n {
		t.Fatalf("%d pictures in %s: %v", len(paths), folder, err)
	}
	for _, p := range paths[:n] {
		write(t, p, read(t, p)[:40])
		names = append(names, filepath.Base(p))
	}
	return names
}

// TestOtherDataSet shows the message for real pictures of the wrong data set.
func TestOtherDataSet(t *testing.T) {
	model, data := testkit.Shared(t, "models/resnet20-cifar10.onnx"), testkit.Shared(t, "data/imagenet-sample-1k.zip")
	t.Chdir(t.TempDir())
	code, _, stderr := call(t, "compress", model, "--data", data)
	needRuntime(t, code, stderr)
	if code != exitUsage || !strings.Contains(stderr, "1000 classes, the model 10 outputs") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestMissingRuntime runs a binary that does not link onnxruntime where no library is found.
func TestMissingRuntime(t *testing.T) {
	if testing.Short() {
		t.Skip("links a binary")
	}
	binary, dir := mpqc(t), t.TempDir()
	t.Chdir(dir)
	modelFile(t, "model.onnx", nil)
	data := smallData(t, dir, 16, 16)
	for _, args := range [][]string{{"eval", "model.onnx", "--data", data}, {"compress", "model.onnx", "--data", data}} {
		c := exec.CommandContext(t.Context(), binary, args...)
		c.Env = []string{"HOME=" + dir, "PATH=/nonexistent", "GOPATH=" + dir, "GOMODCACHE=" + dir}
		text, err := c.CombinedOutput()
		if err == nil || c.ProcessState.ExitCode() != exitFailed {
			t.Errorf("%v: %v", args, err)
		}
		for _, want := range []string{"onnxruntime is not available", "--onnxruntime PATH", "MPQC_ONNXRUNTIME", "next to the program", "Go module", "system"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%v: %q is not in %s", args, want, text)
			}
		}
		if made, _ := filepath.Glob("*.mpqc"); len(made) > 0 {
			t.Errorf("%v: left behind %v", args, made)
		}
	}
	c := exec.CommandContext(t.Context(), binary, "eval", "model.onnx", "--data", data, "--onnxruntime", filepath.Join(dir, "nothing.so"))
	if text, err := c.CombinedOutput(); err == nil || !strings.Contains(string(text), "nothing.so") {
		t.Errorf("--onnxruntime: %v %s", err, text)
	}
}
