package pipeline

import (
	"context"
	"os"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/division"
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

// scored is a model file as far as what predictions are measured by.
type scored struct {
	document
	part *onnx.Model // what document holds
	file *onnx.Model // the whole
}

// readScores reads a file of mpqc up to where its tail begins, unless there are layers in that, others up to the scores in
// front of a last Softmax or ArgMax.
func readScores(path string) (s scored, err error) {
	if s.document, err = readDocument(path); err != nil {
		return s, err
	}
	if s.file, err = onnx.Load(path); err != nil {
		return s, err
	}
	s.part = s.file
	if s.file.Large() || len(s.file.Graph.Outputs()) == 0 {
		return s, nil
	}
	cut, err := division.Scores(s.file)
	if err != nil || len(cut) == 0 {
		return s, err
	}
	if s.part, err = s.file.Extract(onnx.Names(s.file.Graph.Inputs()), cut); err != nil {
		return s, err
	}
	s.document, err = encode(s.part, path)
	return s, err
}

// encode makes the document of a model. One too large for memory is taken from the file that it was saved to.
func encode(m *onnx.Model, saved string) (document, error) {
	if m.Large() {
		return readDocument(saved)
	}
	data, err := m.Marshal()
	return document{data: data}, err
}

// floatDocument is the float model of the job, without what stands behind its last layer.
func (j *job) floatDocument() (document, error) {
	if j.parts.Tail() != nil {
		return encode(j.float, j.w.Path(coreFile))
	}
	return encode(j.float, j.w.Path(floatFile))
}

// document makes the document of a model that is in no file. One too large for memory lies in a folder of the workspace
// until it is removed.
func (j *job) document(m *onnx.Model) (d document, remove func(), err error) {
	if m.Large() {
		return j.outside(m)
	}
	data, err := m.Marshal()
	return document{data: data}, func() {}, err
}

// outside is document for a model of any size, with its weights in a file.
func (j *job) outside(m *onnx.Model) (d document, remove func(), err error) {
	dir, remove, err := file.Temporary(j.w.dir)
	if err != nil {
		return d, func() {}, err
	}
	path := filepath.Join(dir, "model.onnx")
	if err = m.SaveOutside(path); err == nil {
		d, err = readDocument(path)
	}
	if err != nil {
		remove()
		return d, func() {}, err
	}
	return d, remove, nil
}

// open makes a session of the document.
func (d document) open(o ort.Options) (*ort.Session, error) {
	o.Folder = d.folder
	return ort.Open(d.data, o)
}

// sizeOf is the size of a model file with its external data.
func sizeOf(path string) (int64, error) {
	var sum int64
	for _, name := range append([]string{filepath.Base(path)}, onnx.ExternalFiles(path)...) {
		info, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}

// describe sets hash and size of an exported file.
func (f *File) describe(ctx context.Context) (err error) {
	if f.SHA256, err = hashModel(ctx, f.Path); err == nil {
		f.Bytes, err = sizeOf(f.Path)
	}
	return err
}
