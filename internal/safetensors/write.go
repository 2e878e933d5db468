package safetensors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

// safetensors' reserved header entry and its names of types.
const (
	metadataKey = "__metadata__"
	dtypeF32    = "F32"
	dtypeI8     = "I8"
)

// typeBytes are the bytes of an element of a type.
var typeBytes = map[string]int64{dtypeF32: 4, dtypeI8: 1}

// entry is one tensor in the header; offsets count from the end of the header.
type entry struct {
	DType   string       `json:"dtype"`
	Shape   tensor.Shape `json:"shape"`
	Offsets [2]int64     `json:"data_offsets"`
}

// encodeHeader returns the JSON header, padded with spaces so that the data starts at a multiple of 8.
func encodeHeader(a *Archive) ([]byte, []string, error) {
	names := sortedNames(a.Arrays)
	var b bytes.Buffer
	b.WriteByte('{')
	if len(a.Metadata) > 0 {
		if err := field(&b, metadataKey, a.Metadata); err != nil {
			return nil, nil, err
		}
	}
	var at int64
	for _, name := range names {
		v := a.Arrays[name]
		if name == metadataKey || v.Shape.Numel() != v.Len() || len(v.Data) > 0 && len(v.Codes) > 0 {
			return nil, nil, fmt.Errorf("array %q of shape %s has %d numbers and %d codes", name, v.Shape, len(v.Data), len(v.Codes))
		}
		shape := v.Shape
		if shape == nil {
			shape = tensor.Shape{} // a scalar: null is no shape
		}
		dtype := dtypeF32
		if v.Codes != nil {
			dtype = dtypeI8
		}
		end := at + typeBytes[dtype]*int64(v.Len())
		if err := field(&b, name, entry{dtype, shape, [2]int64{at, end}}); err != nil {
			return nil, nil, err
		}
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	return b.Bytes(), names, nil
}

func field(b *bytes.Buffer, name string, value any) error {
	key, err := json.Marshal(name)
	if err != nil {
		return err
	}
	v, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if b.Len() > 1 {
		b.WriteByte(',')
	}
	b.Write(key)
	b.WriteByte(':')
	b.Write(v)
	return nil
}

func writeArchive(w io.Writer, header []byte, names []string, arrays map[string]Array) error {
	out := bufio.NewWriterSize(w, 1<<16)
	word := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if _, err := out.Write(append(word, header...)); err != nil {
		return err
	}
	var four [4]byte
	for _, name := range names {
		for _, v := range arrays[name].Data {
			binary.LittleEndian.PutUint32(four[:], math.Float32bits(v))
			if _, err := out.Write(four[:]); err != nil {
				return err
			}
		}
		for _, c := range arrays[name].Codes {
			if err := out.WriteByte(byte(c)); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}
