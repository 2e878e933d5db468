package onnx

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

const (
	// maxInside is the largest document that Save writes as one file. Readers end at 2 GiB, some of them a little
	// before.
	maxInside = 3 << 29
	// leastOutside is the smallest tensor that goes to the file beside a larger document.
	leastOutside = 1 << 10
	// pageOutside is what tensors beside the document are aligned to, so that onnxruntime maps them (ONNX,
	// docs/ExternalData.md).
	pageOutside = 4096
)

// DataSuffix ends the name of the file that Save puts beside documents too large for one file.
const DataSuffix = ".data"

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

// Large reports whether the model is too large for one file: Save writes two then, and onnxruntime must open it by
// path.
func (m *Model) Large() bool { return m.Size() > maxInside }

// Size is the number of bytes of the encoded model, its tensors included.
func (m *Model) Size() int64 {
	m.sync()
	return int64(proto.Size(m.pb))
}

// Save writes the model to a file, which is there in full or not at all: it is written under another name in the same
// folder, flushed to disk and renamed. The tensors of a model that is too large for one file go to a second one beside
// it, of the same name and DataSuffix, which is in place before the document is.
func (m *Model) Save(path string) error { return m.SaveBy(path, file.Write) }

// SaveBy is Save that replaces files by write.
func (m *Model) SaveBy(path string, write Writer) error {
	if m.Large() {
		return m.saveOutside(path, write)
	}
	data, err := m.Marshal()
	if err != nil {
		return fmt.Errorf("save model %s: %w", path, err)
	}
	return write(path, bytesOf(data))
}

// Writer replaces a file by what content writes, as file.Write does.
type Writer func(path string, content func(io.Writer) error) error

// bytesOf is what is in memory as the content of a file.
func bytesOf(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// SaveOutside is Save of a model of any size as two files. It streams the initializers to the one beside the document,
// without a copy in memory.
func (m *Model) SaveOutside(path string) error { return m.saveOutside(path, file.Write) }

// saveOutside is SaveOutside that replaces files by write.
func (m *Model) saveOutside(path string, write Writer) error {
	m.sync()
	document := &onnxpb.ModelProto{}
	shallow(document, m.pb, "graph")
	document.Graph = &onnxpb.GraphProto{}
	shallow(document.Graph, m.pb.Graph, "initializer")
	name := filepath.Base(path) + DataSuffix
	var outside []*onnxpb.TensorProto
	var offsets []int64
	end := int64(0)
	for _, t := range m.pb.Graph.Initializer {
		if len(t.RawData) < leastOutside {
			document.Graph.Initializer = append(document.Graph.Initializer, t)
			continue
		}
		at := (end + pageOutside - 1) / pageOutside * pageOutside
		outside, offsets, end = append(outside, t), append(offsets, at), at+int64(len(t.RawData))
		document.Graph.Initializer = append(document.Graph.Initializer, reference(t, name, at))
	}
	options := proto.MarshalOptions{Deterministic: true}
	if size := options.Size(document); size > math.MaxInt32 {
		return fmt.Errorf("save model %s: %d bytes are left in the document with its initializers beside it; a file may have 2 GiB", path, size)
	}
	data, err := options.Marshal(document)
	if err != nil {
		return fmt.Errorf("save model %s: %w", path, err)
	}
	err = write(filepath.Join(filepath.Dir(path), name), func(w io.Writer) error { return writeTensors(w, outside, offsets) })
	if err != nil {
		return err
	}
	return write(path, bytesOf(data))
}

// reference is a tensor without its data, which lies in a file.
func reference(t *onnxpb.TensorProto, location string, offset int64) *onnxpb.TensorProto {
	r := &onnxpb.TensorProto{}
	shallow(r, t, "raw_data")
	r.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	for _, e := range [][2]string{
		{"location", location}, {"offset", strconv.FormatInt(offset, 10)}, {"length", strconv.Itoa(len(t.RawData))},
	} {
		r.ExternalData = append(r.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(e[0]), Value: proto.String(e[1])})
	}
	return r
}

// writeTensors writes tensors at ascending offsets, zeros between them.
func writeTensors(w io.Writer, tensors []*onnxpb.TensorProto, offsets []int64) error {
	b := bufio.NewWriterSize(w, 1<<20)
	var zeros [pageOutside]byte
	end := int64(0)
	for i, t := range tensors {
		if _, err := b.Write(zeros[:offsets[i]-end]); err != nil {
			return err
		}
		if _, err := b.Write(t.RawData); err != nil {
			return err
		}
		end = offsets[i] + int64(len(t.RawData))
	}
	return b.Flush()
}
