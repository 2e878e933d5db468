package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// storageBits is the width of one element in a file; 0 for strings and types whose packing is unknown here.
func storageBits(dtype int32) int {
	switch onnxpb.TensorProto_DataType(dtype) {
	case onnxpb.TensorProto_FLOAT8E4M3FN, onnxpb.TensorProto_FLOAT8E4M3FNUZ, onnxpb.TensorProto_FLOAT8E5M2,
		onnxpb.TensorProto_FLOAT8E5M2FNUZ, onnxpb.TensorProto_FLOAT8E8M0:
		return 8
	case onnxpb.TensorProto_FLOAT4E2M1:
		return 4
	case onnxpb.TensorProto_UINT2, onnxpb.TensorProto_INT2:
		return 2
	case onnxpb.TensorProto_COMPLEX64:
		return 64
	case onnxpb.TensorProto_COMPLEX128:
		return 128
	default:
		return tensor.DType(dtype).Bits()
	}
}

// numel counts the elements a tensor declares. Negative dimensions and products beyond the address space are errors.
func numel(t *onnxpb.TensorProto) (int, error) {
	for _, d := range t.Dims {
		if d < 0 {
			return 0, fmt.Errorf("dimension %d is negative", d)
		}
	}
	n := dimsShape(t.Dims).Numel()
	if n < 0 || n > math.MaxInt/128 {
		return 0, fmt.Errorf("shape %v is too large", t.Dims)
	}
	return n, nil
}

// storedBytes is the number of bytes the raw form of a tensor takes; false if its type has no raw form known here.
func storedBytes(t *onnxpb.TensorProto) (int, bool, error) {
	n, err := numel(t)
	if err != nil {
		return 0, false, err
	}
	bits := storageBits(t.GetDataType())
	return (n*bits + 7) / 8, bits != 0, nil
}

// checkTensor compares the size a tensor declares with the data it carries. It allocates nothing.
func checkTensor(t *onnxpb.TensorProto) error {
	n, err := numel(t)
	if err != nil {
		return err
	}
	if isExternal(t) {
		return nil // checked against the file while that is read
	}
	want, known, _ := storedBytes(t)
	dtype := tensor.DType(t.GetDataType())
	switch _, exists := onnxpb.TensorProto_DataType_name[t.GetDataType()]; {
	case dtype == tensor.Undefined:
		return fmt.Errorf("element type is missing")
	case !exists:
		return fmt.Errorf("element type %d does not exist", t.GetDataType())
	case dataFields(t) > 1:
		return fmt.Errorf("its data stands there in %d forms, which need not agree", dataFields(t))
	case dtype == tensor.String:
		if len(t.StringData) != n {
			return fmt.Errorf("shape %v holds %d strings, the file has %d", t.Dims, n, len(t.StringData))
		}
	case !known:
		return nil
	case t.RawData != nil || n == 0:
		if len(t.RawData) != want {
			return fmt.Errorf("type %s and shape %v need %d bytes, the file has %d", dtype, t.Dims, want, len(t.RawData))
		}
	default:
		if have, need := typedLen(t), typedNeed(t, n); have != need {
			return fmt.Errorf("type %s and shape %v need %d elements of data, the file has %d", dtype, t.Dims, need, have)
		}
	}
	return nil
}

// dataFields counts the lists that hold something.
func dataFields(t *onnxpb.TensorProto) int {
	n := 0
	for _, length := range []int{
		len(t.RawData), len(t.FloatData), len(t.DoubleData), len(t.Int32Data), len(t.Int64Data), len(t.Uint64Data), len(t.StringData),
	} {
		n += min(length, 1)
	}
	return n
}

// typedLen is the length of the typed list that the element type is stored in (ONNX, onnx.proto, TensorProto).
func typedLen(t *onnxpb.TensorProto) int {
	switch onnxpb.TensorProto_DataType(t.GetDataType()) {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_COMPLEX64:
		return len(t.FloatData)
	case onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_COMPLEX128:
		return len(t.DoubleData)
	case onnxpb.TensorProto_INT64:
		return len(t.Int64Data)
	case onnxpb.TensorProto_UINT32, onnxpb.TensorProto_UINT64:
		return len(t.Uint64Data)
	default:
		return len(t.Int32Data)
	}
}

// typedNeed is the length that list must have for n elements.
func typedNeed(t *onnxpb.TensorProto, n int) int {
	switch bits := storageBits(t.GetDataType()); {
	case bits < 8: // packed to bytes first, one byte an entry
		return (n*bits + 7) / 8
	case t.GetDataType() == int32(onnxpb.TensorProto_COMPLEX64), t.GetDataType() == int32(onnxpb.TensorProto_COMPLEX128):
		return 2 * n
	default:
		return n
	}
}

// decodeTensor brings a tensor to raw form. Raw data is not copied.
func decodeTensor(t *onnxpb.TensorProto) (*tensor.Tensor, error) {
	if isExternal(t) {
		return nil, fmt.Errorf("data lies in another file that was not read")
	}
	if err := checkTensor(t); err != nil {
		return nil, err
	}
	raw := t.RawData
	if raw == nil {
		raw = typedRaw(t)
	}
	return tensor.New(tensor.DType(t.GetDataType()), dimsShape(t.Dims), raw)
}

// typedRaw converts the typed list to little-endian bytes.
func typedRaw(t *onnxpb.TensorProto) []byte {
	var raw []byte
	le := binary.LittleEndian
	switch onnxpb.TensorProto_DataType(t.GetDataType()) {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_COMPLEX64:
		for _, v := range t.FloatData {
			raw = le.AppendUint32(raw, math.Float32bits(v))
		}
	case onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_COMPLEX128:
		for _, v := range t.DoubleData {
			raw = le.AppendUint64(raw, math.Float64bits(v))
		}
	case onnxpb.TensorProto_INT64:
		for _, v := range t.Int64Data {
			raw = le.AppendUint64(raw, uint64(v))
		}
	case onnxpb.TensorProto_UINT64:
		for _, v := range t.Uint64Data {
			raw = le.AppendUint64(raw, v)
		}
	case onnxpb.TensorProto_UINT32:
		for _, v := range t.Uint64Data {
			raw = le.AppendUint32(raw, uint32(v))
		}
	default:
		width := max(storageBits(t.GetDataType()), 8) / 8
		for _, v := range t.Int32Data {
			raw = append(raw, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
			raw = raw[:len(raw)-4+width]
		}
	}
	return raw
}

// encodeTensor makes the message of a tensor, sharing its bytes.
func encodeTensor(name string, t *tensor.Tensor) (*onnxpb.TensorProto, error) {
	if t == nil {
		return nil, fmt.Errorf("no tensor given")
	}
	if _, err := tensor.New(t.DType, t.Shape, t.Raw); err != nil {
		return nil, err
	}
	pb := &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(t.DType)), RawData: t.Raw}
	if t.Raw == nil {
		pb.RawData = []byte{}
	}
	for _, d := range t.Shape {
		pb.Dims = append(pb.Dims, int64(d))
	}
	return pb, nil
}

// storeTensor moves type, shape and data of src to dst and leaves what else dst says (name, doc string, metadata).
func storeTensor(dst, src *onnxpb.TensorProto) {
	dst.Dims, dst.DataType, dst.RawData = slices.Clone(src.Dims), src.DataType, src.RawData
	dst.FloatData, dst.DoubleData, dst.Int32Data, dst.Int64Data, dst.Uint64Data = nil, nil, nil, nil, nil
	dst.StringData, dst.Segment, dst.ExternalData, dst.DataLocation = nil, nil, nil, nil
}
