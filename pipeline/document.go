package pipeline

import (
	"os"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/onnx"
)

// document is a model as the runtime takes it: encoded, and the folder where its external data lies, "" if it has none.
type document struct {
	data   []byte
	folder string
}

// readDocument reads a model file for the runtime, whatever external data it has.
func readDocument(path string) (document, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return document{}, err
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	return document{data, folder}, err
}

// encode makes the document of a model. One too large for memory is taken from the file that it was saved to.
func encode(m *onnx.Model, saved string) (document, error) {
	if m.Large() {
		return readDocument(saved)
	}
	data, err := m.Marshal()
	return document{data: data}, err
}

// floatDocument is the float model of the job.
func (j *job) floatDocument() (document, error) { return encode(j.float, j.w.Path(floatFile)) }

// open makes a session of the document.
func (d document) open(o ort.Options) (*ort.Session, error) {
	o.Folder = d.folder
	return ort.Open(d.data, o)
}
