package pipeline

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/models"
)

// exampleWorkspace is where the embedded example lives, in the current folder.
const exampleWorkspace = "example.mpqc"

// exampleSource is the folder in a workspace with the files of the embedded example.
const exampleSource = "source"

// withExample writes the embedded network and its samples into a new workspace where no model is named, so that
// everything after works on files like any other.
func withExample(o Options) (Options, error) {
	if o.Model != "" || o.SearchOnly || !missing(filepath.Join(o.Workspace, "manifest.json")) {
		return o, nil
	}
	if filepath.Base(o.Workspace) != exampleWorkspace && !unused(o.Workspace) {
		return o, nil
	}
	model, data, err := models.Example()
	if err != nil {
		return o, fmt.Errorf("open the embedded example: %w", err)
	}
	dir := filepath.Join(o.Workspace, exampleSource)
	o.Model = filepath.Join(dir, "example.onnx")
	if err := file.WriteBytes(o.Model, model); err != nil {
		return o, err
	}
	samples, err := fs.Glob(data, "*.gz")
	if err != nil {
		return o, err
	}
	for _, name := range samples {
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

// unused reports whether a folder, which this process has locked, holds nothing that is not withExample's: it is new,
// or the first run in it was interrupted. Other folders are named by mistake.
func unused(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != "lock" && e.Name() != exampleSource })
}

// exampleData is where withExample wrote the samples, "" in any other workspace.
func exampleData(workspace string) string {
	dir := filepath.Join(workspace, exampleSource, "data")
	if missing(dir) {
		return ""
	}
	return dir
}
