package onnx

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
)

// Marshal encodes the model as one file without external data. Equal models give equal bytes. It is an error if the
// result is larger than the 2 GiB that protobuf readers accept.
func (m *Model) Marshal() ([]byte, error) {
	m.sync()
	options := proto.MarshalOptions{Deterministic: true}
	if size := options.Size(m.pb); size > math.MaxInt32 {
		return nil, fmt.Errorf("encode model: %d bytes are more than the 2 GiB a model file may have", size)
	}
	data, err := options.Marshal(m.pb)
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	return data, nil
}

// Save writes the model to a file, which is there in full or not at all: it is written under another name in the same
// folder, flushed to disk and renamed.
func (m *Model) Save(path string) error {
	data, err := m.Marshal()
	if err != nil {
		return fmt.Errorf("save model %s: %w", path, err)
	}
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("save model %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644) // temporary files are private, models are not
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
