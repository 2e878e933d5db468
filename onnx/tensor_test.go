package onnx

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// The typed lists hold what the specification of TensorProto says for each element type.
func TestDecodeTypedData(t *testing.T) {
	type pb = onnxpb.TensorProto
	for _, c := range []struct {
		name string
		pb   *pb
		raw  []byte // nil: not decodable
	}{
		{"float", &pb{DataType: proto.Int32(1), FloatData: []float32{1, -2}}, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}},
		{"double", &pb{DataType: proto.Int32(11), DoubleData: []float64{1, 0}}, append([]byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, make([]byte, 8)...)},
		{"int64", &pb{DataType: proto.Int32(7), Int64Data: []int64{-1, 1}}, append(bytes.Repeat([]byte{255}, 8), 1, 0, 0, 0, 0, 0, 0, 0)},
		{"int32", &pb{DataType: proto.Int32(6), Int32Data: []int32{-2, 3}}, []byte{254, 255, 255, 255, 3, 0, 0, 0}},
		{"int8", &pb{DataType: proto.Int32(3), Int32Data: []int32{-2, 3}}, []byte{254, 3}},
		{"uint8", &pb{DataType: proto.Int32(2), Int32Data: []int32{254, 3}}, []byte{254, 3}},
		{"uint16", &pb{DataType: proto.Int32(4), Int32Data: []int32{0xfffe, 3}}, []byte{0xfe, 0xff, 3, 0}},
		{"bool", &pb{DataType: proto.Int32(9), Int32Data: []int32{1, 0}}, []byte{1, 0}},
		{"float16", &pb{DataType: proto.Int32(10), Int32Data: []int32{0x3c00, 0}}, []byte{0, 0x3c, 0, 0}},
		{"uint32", &pb{DataType: proto.Int32(12), Uint64Data: []uint64{1 << 31, 1}}, []byte{0, 0, 0, 0x80, 1, 0, 0, 0}},
		{"uint64", &pb{DataType: proto.Int32(13), Uint64Data: []uint64{1, 2}}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}},
		{"int4 packed", &pb{DataType: proto.Int32(22), Int32Data: []int32{0x2f}}, []byte{0x2f}},
		{"raw", &pb{DataType: proto.Int32(3), RawData: []byte{7, 8}}, []byte{7, 8}},
		{"raw too short", &pb{DataType: proto.Int32(6), RawData: []byte{7, 8}}, nil},
		{"list too short", &pb{DataType: proto.Int32(1), FloatData: []float32{1}}, nil},
		{"no data", &pb{DataType: proto.Int32(1)}, nil},
		{"no type", &pb{RawData: []byte{7, 8}}, nil},
		{"strings", &pb{DataType: proto.Int32(8), StringData: [][]byte{{1}, {2}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pb.Dims = []int64{2}
			got, err := decodeTensor(c.pb)
			if (err == nil) != (c.raw != nil) {
				t.Fatalf("error %v", err)
			}
			if err == nil && (!bytes.Equal(got.Raw, c.raw) || !got.Shape.Equal(tensor.Shape{2})) {
				t.Errorf("decoded %v %v, want %v", got.Shape, got.Raw, c.raw)
			}
		})
	}
}

func TestEmptyTensors(t *testing.T) {
	m := sample(t)
	for _, shape := range []tensor.Shape{{0}, {2, 0}} {
		v := must(m.Graph.AddInitializer(m.Graph.FreshName("empty"), &tensor.Tensor{DType: tensor.Int64, Shape: shape}))(t)
		if c := v.Const(); c == nil || !c.Shape.Equal(shape) {
			t.Errorf("shape %v: %v", shape, c)
		}
	}
	if data, err := m.Marshal(); err != nil {
		t.Error(err)
	} else if _, err := Parse(data, ""); err != nil {
		t.Error(err)
	}
}

// TestFloats: a caller reads what a tensor of any element type holds.
func TestFloats(t *testing.T) {
	v, err := NewTensor(Shape{3}, []int8{-3, 0, 7})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Floats(v)
	if err != nil || !slices.Equal(got, []float32{-3, 0, 7}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := NewTensor(Shape{2}, []int8{1}); err == nil {
		t.Error("one value for a tensor of two is no error")
	}
}
