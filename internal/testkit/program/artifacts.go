package program

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// artifacts are the files of a workspace that must not depend on what happened on the way, nor on the number of
// threads.
var artifacts = []string{
	"float.onnx", "calibration.json", "supernet.safetensors", "codes.safetensors", "training.json", "search/4.0bit.json", "search/4.0bit.policy",
	"search/4.0bit.norms.safetensors", "scores/sensitivity.json", "out/example-4.0bit.ort.onnx",
}

// Same compares the artifacts in two workspaces.
func Same(t *testing.T, a, b string) {
	t.Helper()
	for _, name := range artifacts {
		if !bytes.Equal(sample.Read(t, filepath.Join(a, name)), sample.Read(t, filepath.Join(b, name))) {
			t.Errorf("%s differs", name)
		}
	}
	list := func(dir string) (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if x, y := list(a), list(b); !slices.Equal(x, y) {
		t.Errorf("one workspace holds %v, the other %v", x, y)
	}
}
