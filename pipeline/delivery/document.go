package delivery

import (
	"context"
	"os"
	"path/filepath"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/stage"
)

// LoadInward reads a file whose inputs and outputs, as everything between, are taken in float32.
func LoadInward(path string) (*onnx.Model, error) {
	m, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	return m.Inward()
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
func describe(ctx context.Context, f *record.File) (err error) {
	if f.SHA256, err = network.Hash(ctx, f.Path); err == nil {
		f.Bytes, err = sizeOf(f.Path)
	}
	return err
}

// exportedCore is the core of an exported file.
func exportedCore(n *network.Network, path string) (*onnx.Model, error) {
	m, err := LoadInward(path)
	if err != nil {
		return nil, err
	}
	return n.Partition.CoreOf(m)
}

// exportedDocument is the core of an exported file as the runtime takes it, until it is removed.
func exportedDocument(e *stage.Env, n *network.Network, path string) (d session.Document, remove func(), err error) {
	if n.Partition.Tail() == nil {
		d, err = session.Read(path)
		return d, func() {}, err
	}
	m, err := exportedCore(n, path)
	if err != nil {
		return session.Document{}, func() {}, err
	}
	return session.Of(m, e.Workspace.Dir())
}
