package pipeline

import (
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/models"
)

// exampleWorkspace is where the embedded example lives, in the current folder.
const exampleWorkspace = "example.mpqc"

// withExample writes the embedded network and its pictures into the example's workspace where no model is named and no
// workspace is there, so that everything after works on files like any other.
func withExample(o Options) (Options, error) {
	if o.Model != "" || o.SearchOnly || filepath.Base(o.Workspace) != exampleWorkspace || fileExists(filepath.Join(o.Workspace, "manifest.json")) {
		return o, nil
	}
	model, data, err := models.Example()
	if err != nil {
		return o, fmt.Errorf("open the embedded example: %w", err)
	}
	dir := filepath.Join(o.Workspace, "source")
	o.Model = filepath.Join(dir, "example.onnx")
	if err := file.WriteBytes(o.Model, model); err != nil {
		return o, err
	}
	pictures, err := fs.Glob(data, "*.gz")
	if err != nil {
		return o, err
	}
	for _, name := range pictures {
		content, err := fs.ReadFile(data, name)
		if err != nil {
			return o, fmt.Errorf("open the embedded example: %w", err)
		}
		path := filepath.Join(dir, "data", name)
		if err := file.WriteBytes(path, content); err != nil {
			return o, err
		}
	}
	if o.Data == "" {
		o.Data = exampleData(o.Workspace)
	}
	return o, nil
}

// exampleData is where withExample wrote the pictures, "" in any other workspace.
func exampleData(workspace string) string {
	dir := filepath.Join(workspace, "source", "data")
	if filepath.Base(workspace) != exampleWorkspace || !fileExists(dir) {
		return ""
	}
	return dir
}
