package tensor

import "fmt"

// DType is the element type of a tensor. The values are those of ONNX's TensorProto.DataType.
type DType int32

// Element types. Types that mpqc never computes with (strings, float8, complex) have no constant but keep their number.
const (
	Undefined DType = 0
	Float32   DType = 1
	Uint8     DType = 2
	Int8      DType = 3
	Uint16    DType = 4
	Int16     DType = 5
	Int32     DType = 6
	Int64     DType = 7
	String    DType = 8
	Bool      DType = 9
	Float16   DType = 10
	Float64   DType = 11
	Uint32    DType = 12
	Uint64    DType = 13
	BFloat16  DType = 16
	Uint4     DType = 21
	Int4      DType = 22
)

// String names the type as ONNX documents do ("float32", "int8", ...).
func (d DType) String() string {
	if int(d) < len(dtypeNames) && dtypeNames[d] != "" {
		return dtypeNames[d]
	}
	return fmt.Sprintf("dtype(%d)", int32(d))
}

// Bits is the storage width of one element in bits; 0 for strings and types unknown to mpqc.
func (d DType) Bits() int {
	switch d {
	case Uint8, Int8, Bool:
		return 8
	case Uint16, Int16, Float16, BFloat16:
		return 16
	case Float32, Int32, Uint32:
		return 32
	case Float64, Int64, Uint64:
		return 64
	case Uint4, Int4:
		return 4
	case Undefined, String:
		return 0
	default:
		return 0
	}
}

//nolint:gochecknoglobals // constant table
var dtypeNames = [...]string{
	Undefined: "undefined", Float32: "float32", Uint8: "uint8", Int8: "int8", Uint16: "uint16", Int16: "int16",
	Int32: "int32", Int64: "int64", String: "string", Bool: "bool", Float16: "float16", Float64: "float64",
	Uint32: "uint32", Uint64: "uint64", BFloat16: "bfloat16", Uint4: "uint4", Int4: "int4",
}
