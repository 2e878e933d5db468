// Package session is what onnxruntime makes of a model: how it is handed over, how fast it runs and loads, and which of its
// operators run on integers.
package session

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
)

// Document is a model as the runtime takes it: encoded, and the folder where its external data lies, "" if it has none.
type Document struct {
	data   []byte
	folder string
	exact  bool
}

// Exactly is the document as sessions of it compute it with exact integer arithmetic on every CPU, if exact is set. Kernels of x86 CPUs
// without VNNI would saturate else, which runtimes do not that the model is for.
func (d Document) Exactly(exact bool) Document {
	d.exact = exact
	return d
}

// exactIntegers is onnxruntime's setting for that: weights become u8 where its kernels of u8 and s8 saturate
// (onnxruntime_session_options_config_keys.h).
const exactIntegers = "session.x64quantprecision"

// Read reads a model file for the runtime, whatever external data it has. Inputs and outputs that the file has in half
// precision are float32, as what it computes with.
func Read(path string) (Document, error) {
	data, err := file.Read(path, file.DocumentMost)
	if err != nil {
		return Document{}, err
	}
	if bytes.Contains(data, []byte(onnx.InterfaceKey)) {
		if data, err = inward(data, path); err != nil {
			return Document{}, err
		}
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	return Document{data: data, folder: folder}, err
}

// inward is a file with an interface of float32. One too large for memory keeps what it has.
func inward(data []byte, path string) ([]byte, error) {
	m, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	in, err := m.Inward()
	if err != nil || in.Large() {
		return data, err
	}
	return in.Marshal()
}

// Encode makes the document of a model. One too large for memory is taken from the file that it was saved to.
func Encode(m *onnx.Model, saved string) (Document, error) {
	if m.Large() {
		return Read(saved)
	}
	data, err := m.Marshal()
	return Document{data: data}, err
}

// Of makes the document of a model that is in no file. One too large for memory lies below a folder until it is removed.
func Of(m *onnx.Model, dir string) (d Document, remove func(), err error) {
	if m.Large() {
		return outside(m, dir)
	}
	data, err := m.Marshal()
	return Document{data: data}, func() {}, err
}

// outside is Of for a model of any size, with its weights in a file.
func outside(m *onnx.Model, dir string) (d Document, remove func(), err error) {
	dir, remove, err = file.Temporary(dir)
	if err != nil {
		return d, func() {}, err
	}
	path := filepath.Join(dir, "model.onnx")
	if err = m.SaveOutside(path); err == nil {
		d, err = Read(path)
	}
	if err != nil {
		remove()
		return d, func() {}, err
	}
	return d, remove, nil
}

// OpenUntil is Open that gives up when a context ends: the runtime takes minutes for some graphs. A session that comes too
// late is closed.
func (d Document) OpenUntil(ctx context.Context, o ort.Options) (*ort.Session, error) {
	return par.Await(ctx, func() (*ort.Session, error) {
		s, err := d.Open(o)
		if err == nil && ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), s.Close())
		}
		return s, err
	})
}

// Open makes a session of the document.
func (d Document) Open(o ort.Options) (*ort.Session, error) {
	o.Folder = d.folder
	if d.exact {
		o.Config = map[string]string{exactIntegers: "1"}
	}
	return ort.Open(d.data, o)
}
