// Package tensor defines shapes, element types and dense row-major tensors as files store them. It does not compute:
// kernels work on slices, and the engine plans its own buffers.
package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Tensor is a dense row-major tensor. Raw holds the elements in little-endian order, like raw_data of ONNX. Four-bit
// elements are packed two to a byte, the first in the low nibble.
type Tensor struct {
	DType DType
	Shape Shape
	Raw   []byte
}

// New wraps raw little-endian bytes, without copying. It is an error if their number does not fit dtype and shape.
func New(dtype DType, shape Shape, raw []byte) (*Tensor, error) {
	n, bits := shape.Numel(), dtype.Bits()
	if n < 0 || bits == 0 {
		return nil, fmt.Errorf("tensor of type %s and shape %s has no storage size", dtype, shape)
	}
	if n > math.MaxInt/64 {
		return nil, fmt.Errorf("tensor of shape %s is too large", shape)
	}
	if want := (n*bits + 7) / 8; want != len(raw) {
		return nil, fmt.Errorf("tensor of type %s and shape %s needs %d bytes, has %d", dtype, shape, want, len(raw))
	}
	return &Tensor{DType: dtype, Shape: shape, Raw: raw}, nil
}

// Number is an element type that has a Go counterpart.
type Number interface {
	float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64
}

// From copies values into a new tensor of the element type that corresponds to T.
// It panics if len(values) does not fit the shape.
func From[T Number](shape Shape, values []T) *Tensor {
	if shape.Numel() != len(values) {
		panic("tensor: values do not fit shape")
	}
	var t T
	dt := dtypeOf(t)
	raw, err := binary.Append(make([]byte, 0, len(values)*dt.Bits()/8), binary.LittleEndian, values)
	if err != nil {
		panic("tensor: " + err.Error()) // fixed-size numbers always encode
	}
	return &Tensor{DType: dt, Shape: shape.Clone(), Raw: raw}
}

// Scalar returns a tensor of rank 0.
func Scalar[T Number](v T) *Tensor { return From(Shape{}, []T{v}) }

// Values decodes the elements to a new slice. It is an error if T does not correspond to the element type.
func Values[T Number](t *Tensor) ([]T, error) {
	var z T
	if dt := dtypeOf(z); dt != t.DType {
		return nil, fmt.Errorf("tensor is %s, not %s", t.DType, dt)
	}
	out := make([]T, t.Shape.Numel())
	if _, err := binary.Decode(t.Raw, binary.LittleEndian, out); err != nil {
		return nil, fmt.Errorf("decode %s tensor: %w", t.DType, err)
	}
	return out, nil
}

// Floats decodes floats of any width, integers or booleans to a new slice of float32. Other types are an error.
func Floats(t *Tensor) ([]float32, error) {
	if t.DType == Float32 {
		return Values[float32](t)
	}
	out := make([]float32, t.Shape.Numel())
	switch t.DType {
	case Float16:
		for i := range out {
			out[i] = half(binary.LittleEndian.Uint16(t.Raw[2*i:]))
		}
	case BFloat16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Raw[2*i:])) << 16)
		}
	case Float64:
		v, err := Values[float64](t)
		if err != nil {
			return nil, err
		}
		for i, x := range v {
			out[i] = float32(x)
		}
	default:
		v, err := Ints(t)
		if err != nil {
			return nil, err
		}
		for i, x := range v {
			out[i] = float32(x)
		}
	}
	return out, nil
}

// Ints decodes integers or booleans to a new slice of int64. Other types are an error.
func Ints(t *Tensor) ([]int64, error) {
	switch t.DType {
	case Int64:
		return Values[int64](t)
	case Int32:
		return widen[int32](t)
	case Int16:
		return widen[int16](t)
	case Int8:
		return widen[int8](t)
	case Uint8:
		return widen[uint8](t)
	case Uint16:
		return widen[uint16](t)
	case Uint32:
		return widen[uint32](t)
	case Uint64:
		return widen[uint64](t)
	case Bool:
		return widen[uint8](&Tensor{DType: Uint8, Shape: t.Shape, Raw: t.Raw})
	default:
		return nil, fmt.Errorf("tensor is %s, not an integer type", t.DType)
	}
}

// widen decodes integers of type T.
func widen[T int8 | int16 | int32 | uint8 | uint16 | uint32 | uint64](t *Tensor) ([]int64, error) {
	v, err := Values[T](t)
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out, nil
}

// dtypeOf returns the element type of a Go slice.
func dtypeOf(v any) DType {
	switch v.(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case uint8:
		return Uint8
	case int16:
		return Int16
	case uint16:
		return Uint16
	case int32:
		return Int32
	case uint32:
		return Uint32
	case int64:
		return Int64
	case uint64:
		return Uint64
	default:
		return Undefined
	}
}

// half widens an IEEE 754 binary16 number.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	case 0:
		v := float32(frac) / (1 << 24)
		if sign != 0 {
			return -v
		}
		return v
	default:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
}
