// Package session runs models in onnxruntime. It passes them over, measures how fast they run and load, and lists which
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

// Document is a model in the form that onnxruntime takes: encoded, with the folder of its external data.
type Document struct {
	data   []byte
	folder string // of external data; "" if there is none
	exact  bool   // see Exactly
}

// Exactly returns the document with exact integer arithmetic in its sessions switched on or off. Without it, kernels of
// x86 CPUs without VNNI saturate, which the runtimes that the file is meant for do not.
func (d Document) Exactly(exact bool) Document {
	d.exact = exact
	return d
}

// exactIntegers is the session setting of onnxruntime for exact integer arithmetic. It converts weights to u8 where
// kernels of u8 and s8 saturate (onnxruntime_session_options_config_keys.h).
const exactIntegers = "session.x64quantprecision"

// Read reads a model file, with external data if it has any. Inputs and outputs in half precision become float32.
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

// inward returns an encoded model with float32 inputs and outputs. A model too large for memory is returned unchanged.
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

// Encode encodes a model. One too large for memory is read from the file saved, to which it was saved before.
func Encode(m *onnx.Model, saved string) (Document, error) {
	if m.Large() {
		return Read(saved)
	}
	data, err := m.Marshal()
	return Document{data: data}, err
}

// Of encodes a model that is not in a file. One too large for memory is written to a temporary folder inside dir.
// remove deletes that folder.
func Of(m *onnx.Model, dir string) (d Document, remove func(), err error) {
	if m.Large() {
		return outside(m, dir)
	}
	data, err := m.Marshal()
	return Document{data: data}, func() {}, err
}

// outside is Of for models of any size, with the weights in a temporary file.
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

// OpenUntil is Open that returns when the context ends. onnxruntime takes minutes to load some graphs. A session that
// comes too late is closed.
func (d Document) OpenUntil(ctx context.Context, o ort.Options) (*ort.Session, error) {
	return par.Await(ctx, func() (*ort.Session, error) {
		s, err := d.Open(o)
		if err == nil && ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), s.Close())
		}
		return s, err
	})
}

// Open loads the document into a session.
func (d Document) Open(o ort.Options) (*ort.Session, error) {
	o.Folder = d.folder
	if d.exact {
		o.Config = map[string]string{exactIntegers: "1"}
	}
	return ort.Open(d.data, o)
}
