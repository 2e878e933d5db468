package mutation

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/onnx"
)

// Models reads the models of some folders, in the order of their names.
func Models(t testing.TB, dirs ...string) []*onnx.Model {
	t.Helper()
	var files []string
	for _, dir := range dirs {
		list, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
		if err != nil || len(list) == 0 {
			t.Fatalf("%d models in %s, %v", len(list), dir, err)
		}
		files = append(files, list...)
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
