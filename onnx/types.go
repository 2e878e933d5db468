package onnx

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
)

// Tensor is a dense, row-major tensor as a file holds it. It is named here, as are Shape and DType, for programs that
// import this module.
type Tensor = tensor.Tensor

// Shape is the dimensions of a tensor, -1 for one that is not known.
type Shape = tensor.Shape

// DType is an element type by ONNX's number.
type DType = tensor.DType

// Element types that have a Go counterpart.
const (
	Float32 = tensor.Float32
	Float64 = tensor.Float64
	Int8    = tensor.Int8
	Uint8   = tensor.Uint8
	Int32   = tensor.Int32
	Int64   = tensor.Int64
)

// NewTensor copies values into a tensor of the element type that corresponds to T.
func NewTensor[T tensor.Number](shape Shape, values []T) (*Tensor, error) {
	if n := shape.Numel(); n != len(values) {
		return nil, fmt.Errorf("make tensor of shape %s: it has %d values, not %d", shape, n, len(values))
	}
	return tensor.From(shape, values), nil
}

// Floats decodes the elements of a tensor of any float or integer type.
func Floats(t *Tensor) ([]float32, error) { return tensor.Floats(t) }
