package fault

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

func TestBadSamples(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.ModelFile(t, "model.onnx", nil)
	compress := func(data string, more ...string) (int, string, string) {
		return program.Call(t, slices.Concat([]string{"compress", "model.onnx", "--data", data, "--bits", "8", "--quiet"}, program.Least, more)...)
	}
	sample.PNGFolder(t, "good", 128, 200)

	t.Run("one corrupt sample", func(t *testing.T) {
		sample.PNGFolder(t, "corrupt", 128, 200)
		broken := sample.Corrupt(t, "corrupt/test", 1)
		sample.Write(t, "corrupt.zip", sample.Zipped(t, os.DirFS("corrupt")))
		code, _, stderr := compress("corrupt.zip")
		program.NeedRuntime(t, code, stderr)
		if code != exit.Done || !strings.Contains(stderr, "1 test sample cannot be used") || !strings.Contains(stderr, broken[0]) {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		code, stdout, stderr := program.Call(t, "eval", "model.onnx", "--data", "corrupt.zip", "--json")
		if code != exit.Done || !strings.Contains(stdout, `"n": 199,`) {
			t.Errorf("exit code %d: %s%s", code, stdout, stderr)
		}
		_ = os.RemoveAll("model.mpqc")
	})
	t.Run("too many corrupt samples", func(t *testing.T) {
		sample.Corrupt(t, "corrupt/test", 5)
		code, _, stderr := compress("corrupt")
		if code != exit.Failed || !strings.Contains(stderr, "of 200 samples cannot be used, among them test/") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		_ = os.RemoveAll("model.mpqc")
	})
	t.Run("wrong size", func(t *testing.T) {
		sample.Large(t, "large")
		code, _, stderr := compress("large")
		if code != exit.Failed || !strings.Contains(stderr, "at least 1 of 10 samples") || !strings.Contains(stderr, "1x30x40") || !strings.Contains(stderr, "1x28x28") || !strings.Contains(stderr, "--resize") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		if code, _, stderr = compress("large", "--resize", "28x28"); code != exit.Done {
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
		if code != exit.Usage || !strings.Contains(stderr, "9 classes, the model 10 outputs") || !strings.Contains(stderr, "--no-labels") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		code, stdout, stderr := compress("good", "--no-labels", "--json")
		if code != exit.Done || !strings.Contains(stdout, `"top1": null`) || strings.Contains(stdout, `"agreement": 0,`) {
			t.Errorf("without labels: exit code %d: %s%s", code, stdout, stderr)
		}
	})
}

// TestForeignLabels: a label beyond the outputs of the model is named with its sample.
func TestForeignLabels(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	sample.ModelFile(t, "model.onnx", nil)
	data := sample.SmallData(t, dir, 16, 16)
	header, items := sample.IDXFile(t, "t10k-labels-idx1-ubyte.gz")
	binary.BigEndian.PutUint32(header[4:], 16)
	labels := append(header, bytes.Join(items[:16], nil)...)
	labels[len(header)+5] = 10
	sample.Write(t, filepath.Join(data, "t10k-labels-idx1-ubyte.gz"), labels)
	code, _, stderr := program.Call(t, "eval", "model.onnx", "--data", data)
	program.NeedRuntime(t, code, stderr)
	for _, want := range []string{"t10k-images-idx3-ubyte.gz[5] has label 10", "10 outputs", "from 0 to 9", "--no-labels"} {
		if code != exit.Usage || !strings.Contains(stderr, want) || strings.Contains(stderr, "folders") {
			t.Errorf("exit code %d, want %q in %s", code, want, stderr)
		}
	}
	if code, stdout, stderr := program.Call(t, "eval", "model.onnx", "--data", data, "--no-labels", "--json"); code != exit.Done || !strings.Contains(stdout, `"loss": null`) {
		t.Errorf("without labels: exit code %d: %s%s", code, stdout, stderr)
	}
}

// TestAgainstAnother: a model that takes other samples cannot be compared with.
func TestAgainstAnother(t *testing.T) {
	model := testkit.Shared(t, "models/resnet20-cifar10.onnx")
	dir := t.TempDir()
	t.Chdir(dir)
	sample.ModelFile(t, "model.onnx", nil)
	code, _, stderr := program.Call(t, "eval", "model.onnx", "--data", sample.SmallData(t, dir, 16, 16), "--against", model)
	program.NeedRuntime(t, code, stderr)
	if code != exit.Usage || !strings.Contains(stderr, "resnet20-cifar10.onnx: it takes ") || !strings.Contains(stderr, "1x28x28") || !strings.Contains(stderr, "same input") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestOtherDataSet shows the message for real samples of the wrong data set.
func TestOtherDataSet(t *testing.T) {
	model, data := testkit.Shared(t, "models/resnet20-cifar10.onnx"), testkit.Shared(t, "data/imagenet-sample-1k.zip")
	t.Chdir(t.TempDir())
	code, _, stderr := program.Call(t, "compress", model, "--data", data)
	program.NeedRuntime(t, code, stderr)
	if code != exit.Usage || !strings.Contains(stderr, "1000 classes, the model 10 outputs") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
