package stage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/safetensors"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// LoadModel reads a model of the workspace.
func (e *Env) LoadModel(name string) (*onnx.Model, error) {
	data, err := e.Workspace.Read(name)
	if err != nil {
		return nil, err
	}
	if beside := name + onnx.DataSuffix; e.Workspace.Has(beside) {
		if err := e.Workspace.Verify(beside); err != nil {
			return nil, err
		}
	}
	file := e.Workspace.Path(filepath.FromSlash(name))
	m, err := onnx.Parse(data, filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", file, err)
	}
	return m, nil
}

// SaveModel writes a model to the workspace.
func (e *Env) SaveModel(name string, m *onnx.Model) error {
	return m.SaveBy(e.Workspace.Path(filepath.FromSlash(name)), func(file string, content func(io.Writer) error) error {
		return e.Workspace.Replace(path.Join(path.Dir(name), filepath.Base(file)), content)
	})
}

// LoadArchive reads a safetensors file of the workspace.
func (e *Env) LoadArchive(name string) (a *safetensors.Archive, err error) {
	err = e.Workspace.Scan(name, func(r io.Reader, size int64) (err error) {
		a, err = safetensors.Read(r, size)
		return err
	})
	if err != nil && !Damaged(err) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("load %s: %w", e.Workspace.Path(filepath.FromSlash(name)), err)
	}
	return a, err
}

// LoadArrays reads a supernet, or a part of one, from the workspace.
func (e *Env) LoadArrays(name string) (*quantize.Supernet, error) {
	a, err := e.LoadArchive(name)
	if err != nil {
		return nil, err
	}
	s, err := quantize.SupernetOf(a)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", e.Workspace.Path(filepath.FromSlash(name)), err)
	}
	return s, nil
}

// SaveArrays writes a supernet, or a part of one, to the workspace.
func (e *Env) SaveArrays(name string, s *quantize.Supernet) error {
	content, err := s.Content()
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return e.Workspace.Replace(name, content)
}
