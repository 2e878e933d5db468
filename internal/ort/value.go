//go:build cgo

package ort

import (
	"fmt"
	"unsafe"

	runtime "github.com/yalue/onnxruntime_go"

	"github.com/mpqc/mpqc/internal/tensor"
)

// toRuntime wraps a tensor without copying. The tensor must stay unchanged until the value is destroyed. Element type
// numbers of onnxruntime are those of ONNX.
func toRuntime(name string, t *tensor.Tensor) (runtime.Value, error) {
	if t == nil {
		return nil, fmt.Errorf("input %q is missing", name)
	}
	raw := t.Raw
	if align := max(1, t.DType.Bits()/8); len(raw) > 0 && uintptr(unsafe.Pointer(&raw[0]))%uintptr(align) != 0 {
		raw = append(make([]byte, 0, len(raw)), raw...) // allocations are aligned, slices of files need not be
	}
	v, err := runtime.NewCustomDataTensor(toShape(t.Shape), raw, runtime.TensorElementDataType(t.DType))
	if err != nil {
		return nil, fmt.Errorf("wrap input %q (%s %s): %w", name, t.DType, t.Shape, err)
	}
	return v, nil
}

// fromRuntime copies an output that onnxruntime allocated.
func fromRuntime(name string, v runtime.Value) (*tensor.Tensor, error) {
	shape := fromShape(v.GetShape())
	switch v := v.(type) {
	case *runtime.Tensor[float32]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[float64]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[int8]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[uint8]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[int16]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[uint16]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[int32]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[uint32]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[int64]:
		return tensor.From(shape, v.GetData()), nil
	case *runtime.Tensor[uint64]:
		return tensor.From(shape, v.GetData()), nil
	default:
		// The binding copies one byte per element of float16 and four-bit tensors, whatever their size.
		return nil, fmt.Errorf("output %q has an element type that cannot be read back", name)
	}
}

// toShape converts a shape.
func toShape(s tensor.Shape) runtime.Shape {
	out := make(runtime.Shape, len(s))
	for i, d := range s {
		out[i] = int64(d)
	}
	return out
}

// fromShape converts a shape.
func fromShape(s runtime.Shape) tensor.Shape {
	out := make(tensor.Shape, len(s))
	for i, d := range s {
		out[i] = int(d)
	}
	return out
}
