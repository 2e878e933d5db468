package cmd

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
)

func TestBadPictures(t *testing.T) {
	t.Chdir(t.TempDir())
	modelFile(t, "model.onnx", nil)
	compress := func(data string, more ...string) (int, string, string) {
		return call(t, slices.Concat([]string{"compress", "model.onnx", "--data", data, "--bits", "8", "--quiet"}, least, more)...)
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
		large(t, "large")
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
