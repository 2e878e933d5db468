package onnx

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Attr is a named constant of a node. Attributes of every kind can be copied from node to node; those of the kinds
// below can be made and read.
type Attr struct{ pb *onnxpb.AttributeProto }

// Name is the attribute's name.
func (a Attr) Name() string { return a.pb.GetName() }

// Kind is the attribute's type as ONNX spells it, such as "INTS" or "TENSOR".
func (a Attr) Kind() string { return a.pb.GetType().String() }

// IntAttr makes an integer attribute.
func IntAttr(name string, v int64) Attr {
	return newAttr(name, onnxpb.AttributeProto_INT, &onnxpb.AttributeProto{I: proto.Int64(v)})
}

// IntsAttr makes a list of integers.
func IntsAttr(name string, v []int64) Attr {
	return newAttr(name, onnxpb.AttributeProto_INTS, &onnxpb.AttributeProto{Ints: slices.Clone(v)})
}

// FloatAttr makes a float attribute.
func FloatAttr(name string, v float32) Attr {
	return newAttr(name, onnxpb.AttributeProto_FLOAT, &onnxpb.AttributeProto{F: proto.Float32(v)})
}

// FloatsAttr makes a list of floats.
func FloatsAttr(name string, v []float32) Attr {
	return newAttr(name, onnxpb.AttributeProto_FLOATS, &onnxpb.AttributeProto{Floats: slices.Clone(v)})
}

// StringAttr makes a string attribute.
func StringAttr(name, v string) Attr {
	return newAttr(name, onnxpb.AttributeProto_STRING, &onnxpb.AttributeProto{S: []byte(v)})
}

// TensorAttr makes a tensor attribute. The tensor's bytes are not copied. It panics if they do not fit its shape.
func TensorAttr(name string, v *tensor.Tensor) Attr {
	pb, err := encodeTensor("", v)
	if err != nil {
		panic("onnx: tensor attribute: " + err.Error())
	}
	pb.Name = nil
	return newAttr(name, onnxpb.AttributeProto_TENSOR, &onnxpb.AttributeProto{T: pb})
}

func newAttr(name string, typ onnxpb.AttributeProto_AttributeType, pb *onnxpb.AttributeProto) Attr {
	pb.Name, pb.Type = proto.String(name), typ.Enum()
	return Attr{pb}
}

// attr returns the attribute of a name, nil if there is none.
func (n *Node) attr(name string) *onnxpb.AttributeProto {
	for _, a := range n.pb.Attribute {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

// Has reports whether the node has an attribute.
func (n *Node) Has(name string) bool { return n.attr(name) != nil }

// Int reads an integer attribute, def if it is absent.
func (n *Node) Int(name string, def int64) int64 {
	if a := n.attr(name); a != nil && a.I != nil {
		return a.GetI()
	}
	return def
}

// Ints reads a list of integers, nil if it is absent.
func (n *Node) Ints(name string) []int64 { return slices.Clone(n.attr(name).GetInts()) }

// Float reads a float attribute, def if it is absent.
func (n *Node) Float(name string, def float32) float32 {
	if a := n.attr(name); a != nil && a.F != nil {
		return a.GetF()
	}
	return def
}

// Floats reads a list of floats, nil if it is absent.
func (n *Node) Floats(name string) []float32 { return slices.Clone(n.attr(name).GetFloats()) }

// Str reads a string attribute, def if it is absent.
func (n *Node) Str(name, def string) string {
	if a := n.attr(name); a != nil && a.S != nil {
		return string(a.GetS())
	}
	return def
}

// Tensor reads a tensor attribute. It is nil if the attribute is absent or of an element type that package tensor has
// no storage for. Do not write to it.
func (n *Node) Tensor(name string) *tensor.Tensor {
	pb := n.attr(name).GetT()
	if pb == nil {
		return nil
	}
	t, err := decodeTensor(pb)
	if err != nil {
		return nil
	}
	return t
}

// Attrs lists the attributes in document order, for NodeSpec and SetAttr.
func (n *Node) Attrs() []Attr {
	attrs := make([]Attr, len(n.pb.Attribute))
	for i, a := range n.pb.Attribute {
		attrs[i] = Attr{a}
	}
	return attrs
}

// SetAttr sets an attribute, replacing one of the same name.
func (n *Node) SetAttr(a Attr) {
	pb := proto.Clone(a.pb).(*onnxpb.AttributeProto)
	i := slices.IndexFunc(n.pb.Attribute, func(b *onnxpb.AttributeProto) bool { return b.GetName() == pb.GetName() })
	if i < 0 {
		n.pb.Attribute = append(n.pb.Attribute, pb)
	} else {
		n.pb.Attribute[i] = pb
	}
	n.relinkCaptures()
}

// RemoveAttr removes an attribute; one that is not there is fine.
func (n *Node) RemoveAttr(name string) {
	n.pb.Attribute = slices.DeleteFunc(n.pb.Attribute, func(a *onnxpb.AttributeProto) bool { return a.GetName() == name })
	n.relinkCaptures()
}

// relinkCaptures renews the uses that subgraphs make of outer values.
func (n *Node) relinkCaptures() {
	for _, v := range n.captures {
		v.dropUse(n, -1)
	}
	n.captures = nil
	if n.graph != nil {
		n.graph.linkCaptures(n)
	}
}
