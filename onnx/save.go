package onnx

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/file"
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
	return file.WriteBytes(path, data)
}
