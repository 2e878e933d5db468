package mutation

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/onnx"
)

// Models reads the models of a folder, in the order of their names.
func Models(t testing.TB, dir string) []*onnx.Model {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d models in %s, %v", len(files), dir, err)
	}
	models := make([]*onnx.Model, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if models[i], err = onnx.Parse(data, ""); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return models
}
