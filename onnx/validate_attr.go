package onnx

import (
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// attrKinds are the types of attributes that this program reads and that every operator of ONNX's own domain agrees on.
// Of another type they would read as absent, and the node would mean something else.
//
//nolint:gochecknoglobals // constant table
var attrKinds = map[onnxpb.AttributeProto_AttributeType]string{
	onnxpb.AttributeProto_INT: "allowzero antialias axis blocksize ceil_mode count_include_pad end exclude_outside fmod group keepdims " +
		"noop_with_empty_axes num_groups output_dtype spatial start training_mode transA transB value_int",
	onnxpb.AttributeProto_INTS:   "axes dilations ends kernel_shape pads perm shape split starts strides value_ints",
	onnxpb.AttributeProto_FLOAT:  "alpha beta epsilon max min momentum value_float",
	onnxpb.AttributeProto_FLOATS: "value_floats",
	onnxpb.AttributeProto_STRING: "approximate auto_pad coordinate_transformation_mode equation keep_aspect_ratio_policy mode nearest_mode",
}

// attrTypes is attrKinds by name.
func attrTypes() map[string]onnxpb.AttributeProto_AttributeType {
	types := map[string]onnxpb.AttributeProto_AttributeType{}
	for typ, names := range attrKinds {
		for name := range strings.FieldsSeq(names) {
			types[name] = typ
		}
	}
	return types
}

// checkAttrs checks the attributes of all nodes, those of subgraphs too.
func (g *Graph) checkAttrs() []error {
	var errs []error
	types := attrTypes()
	walkGraphs(g.pb, func(pb *onnxpb.GraphProto) {
		for _, n := range pb.Node {
			if err := checkNodeAttrs(n, types); err != nil {
				errs = append(errs, fmt.Errorf("%s node %q: %w", n.GetOpType(), n.GetName(), err))
			}
		}
	})
	return errs
}

// checkNodeAttrs is an error if an attribute of a node has another type than types states.
func checkNodeAttrs(n *onnxpb.NodeProto, types map[string]onnxpb.AttributeProto_AttributeType) error {
	seen := map[string]bool{}
	for _, a := range n.Attribute {
		name := a.GetName()
		switch want, known := types[name]; {
		case name == "":
			return fmt.Errorf("an attribute has no name")
		case seen[name]:
			return fmt.Errorf("attribute %q stands twice", name)
		case known && defaultDomain(n.GetDomain()) && a.GetType() != want:
			return fmt.Errorf("attribute %q is of type %s, ONNX says %s", name, a.GetType(), want)
		}
		if err := checkAttrValue(a); err != nil {
			return fmt.Errorf("attribute %q: %w", name, err)
		}
		seen[name] = true
	}
	return nil
}

// checkAttrValue wants one value, of the type that the attribute states. Empty lists, and references to attributes of a
// function, hold none.
func checkAttrValue(a *onnxpb.AttributeProto) error {
	if a.GetType() == onnxpb.AttributeProto_UNDEFINED {
		return fmt.Errorf("it states no type")
	}
	for _, field := range []struct {
		has bool
		typ onnxpb.AttributeProto_AttributeType
	}{
		{a.F != nil, onnxpb.AttributeProto_FLOAT},
		{a.I != nil, onnxpb.AttributeProto_INT},
		{a.S != nil, onnxpb.AttributeProto_STRING},
		{a.T != nil, onnxpb.AttributeProto_TENSOR},
		{a.G != nil, onnxpb.AttributeProto_GRAPH},
		{a.SparseTensor != nil, onnxpb.AttributeProto_SPARSE_TENSOR},
		{a.Tp != nil, onnxpb.AttributeProto_TYPE_PROTO},
		{len(a.Floats) > 0, onnxpb.AttributeProto_FLOATS},
		{len(a.Ints) > 0, onnxpb.AttributeProto_INTS},
		{len(a.Strings) > 0, onnxpb.AttributeProto_STRINGS},
		{len(a.Tensors) > 0, onnxpb.AttributeProto_TENSORS},
		{len(a.Graphs) > 0, onnxpb.AttributeProto_GRAPHS},
		{len(a.SparseTensors) > 0, onnxpb.AttributeProto_SPARSE_TENSORS},
		{len(a.TypeProtos) > 0, onnxpb.AttributeProto_TYPE_PROTOS},
	} {
		if field.has && field.typ != a.GetType() {
			return fmt.Errorf("it is of type %s but holds %s", a.GetType(), field.typ)
		}
	}
	return nil
}
