package onnx

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Value is a tensor that flows through a graph: a graph input, an initializer or an output of a node.
type Value struct {
	graph    *Graph // nil once removed
	name     string
	producer *Node
	index    int         // which output of producer
	uses     []Use       // in no order
	places   map[Use]int // in uses, where those are many
	ordered  atomic.Pointer[orderedUses]
	info     *onnxpb.ValueInfoProto // entry of input, output or value_info; nil if the file has none
	init     *onnxpb.TensorProto
	sparse   *onnxpb.SparseTensorProto
	isInput  bool
	isOutput bool
	decoded  atomic.Pointer[tensor.Tensor] // of init, on demand
}

// Name is the value's name, unique in the graph.
func (v *Value) Name() string { return v.name }

// Producer is the node that computes the value, nil for graph inputs and initializers.
func (v *Value) Producer() *Node { return v.producer }

// IsInput reports whether the value is a graph input; an initializer that is listed as input as well is not.
func (v *Value) IsInput() bool { return v.isInput }

// IsOutput reports whether the value is a graph output.
func (v *Value) IsOutput() bool { return v.isOutput }

// IsInitializer reports whether the value is a dense constant of the graph.
func (v *Value) IsInitializer() bool { return v.init != nil }

// Const is the tensor of an initializer. It is nil for other values, and for element types that package tensor has no
// storage for (strings, float8, complex). It is shared with the document: do not write to it, use SetConst.
func (v *Value) Const() *tensor.Tensor {
	if v.init == nil {
		return nil
	}
	if t := v.decoded.Load(); t != nil {
		return t
	}
	t, err := decodeTensor(v.init)
	if err != nil {
		return nil
	}
	v.decoded.Store(t)
	return t
}

// SetConst replaces the tensor of an initializer, keeping its name. The tensor's bytes are not copied.
func (v *Value) SetConst(t *tensor.Tensor) error {
	if v.init == nil {
		return fmt.Errorf("set constant: %q is not an initializer", v.name)
	}
	pb, err := encodeTensor(v.name, t)
	if err != nil {
		return fmt.Errorf("set constant %q: %w", v.name, err)
	}
	storeTensor(v.init, pb)
	v.decoded.Store(nil)
	if v.info != nil {
		v.info.Type = tensorType(nil, t.DType, t.Shape)
	}
	return nil
}

// DType is the element type, Undefined if the document does not say or the value is not a tensor.
func (v *Value) DType() tensor.DType {
	switch {
	case v.init != nil:
		return tensor.DType(v.init.GetDataType())
	case v.sparse != nil:
		return tensor.DType(v.sparse.GetValues().GetDataType())
	default:
		return tensor.DType(v.info.GetType().GetTensorType().GetElemType())
	}
}

// Shape is the shape as far as the document knows it: false if not even the rank is, -1 for a dimension that is
// symbolic or unknown.
func (v *Value) Shape() (tensor.Shape, bool) {
	switch {
	case v.init != nil:
		return dimsShape(v.init.GetDims()), true
	case v.sparse != nil:
		return dimsShape(v.sparse.GetDims()), true
	}
	pb := v.info.GetType().GetTensorType().GetShape()
	if pb == nil {
		return nil, false
	}
	shape := make(tensor.Shape, len(pb.Dim))
	for i, d := range pb.Dim {
		shape[i] = -1
		if x, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue); ok && x.DimValue >= 0 {
			shape[i] = int(x.DimValue)
		}
	}
	return shape, true
}

// SetType records element type and shape. Undefined keeps the recorded element type, a nil shape means that the rank is
// unknown, and a dimension of -1 keeps the symbol it has. Initializers know their own type: for them it does nothing.
func (v *Value) SetType(dtype tensor.DType, shape tensor.Shape) {
	if v.init != nil || v.sparse != nil || v.graph == nil {
		return
	}
	if v.info == nil {
		v.info = &onnxpb.ValueInfoProto{Name: proto.String(v.name)}
		v.graph.addValueInfo(v.info)
	}
	v.info.Type = tensorType(v.info.Type, dtype, shape)
}

// tensorType describes a tensor, taking over symbols and denotations of an old description where they still fit.
func tensorType(old *onnxpb.TypeProto, dtype tensor.DType, shape tensor.Shape) *onnxpb.TypeProto {
	if dtype == tensor.Undefined {
		dtype = tensor.DType(old.GetTensorType().GetElemType())
	}
	t := &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(dtype))}
	if shape != nil {
		was := old.GetTensorType().GetShape().GetDim()
		t.Shape = &onnxpb.TensorShapeProto{Dim: make([]*onnxpb.TensorShapeProto_Dimension, len(shape))}
		for i, d := range shape {
			dim := &onnxpb.TensorShapeProto_Dimension{}
			if len(was) == len(shape) {
				dim.Denotation = was[i].Denotation
				if p, ok := was[i].Value.(*onnxpb.TensorShapeProto_Dimension_DimParam); ok && d < 0 {
					dim.Value = p
				}
			}
			if d >= 0 {
				dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
			}
			t.Shape.Dim[i] = dim
		}
	}
	typ := &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}}
	if old != nil {
		typ.Denotation = old.Denotation
	}
	return typ
}

func dimsShape(dims []int64) tensor.Shape {
	shape := make(tensor.Shape, len(dims))
	for i, d := range dims {
		shape[i] = int(d)
	}
	return shape
}

// origin says where the value comes from, for messages.
func (v *Value) origin() string {
	switch {
	case v.producer != nil:
		return v.producer.String()
	case v.isInput:
		return "the graph's inputs"
	case v.init != nil, v.sparse != nil:
		return "the initializers"
	default:
		return "nothing"
	}
}

// Names lists the names of values in their order.
func Names(values []*Value) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.Name()
	}
	return list
}
