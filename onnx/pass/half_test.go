package pass

import (
	"bytes"
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// bfloats is a constant in bfloat16, which numbers of seven bits fit.
func bfloats(shape tensor.Shape, v ...float32) *tensor.Tensor {
	out := &tensor.Tensor{DType: tensor.BFloat16, Shape: shape}
	for _, x := range v {
		out.Raw = append(out.Raw, byte(math.Float32bits(x)>>16), byte(math.Float32bits(x)>>24))
	}
	return out
}

// halves is a constant of float16 ones, with signs that change.
func halves(shape ...int) *tensor.Tensor {
	out := &tensor.Tensor{DType: tensor.Float16, Shape: shape}
	for i := range tensor.Shape(shape).Numel() {
		out.Raw = append(out.Raw, byte(i%4<<6), byte(0x3c|i%3<<7))
	}
	return out
}

// TestWidenHalf: what computes in half precision between Casts computes in float32, and the Casts are gone.
func TestWidenHalf(t *testing.T) {
	to := func(d tensor.DType) onnx.Attr { return onnx.IntAttr("to", int64(d)) }
	m := build(t, 17).in("x", -1, 2, 4, 4).init("w", halves(3, 2, 3, 3)).init("v", halves(5, 3)).op("Cast", "x", "h", to(tensor.Float16)).
		op("Conv", "h w", "c").op("Relu", "c", "r").op("GlobalAveragePool", "r", "p").op("Flatten", "p", "f").
		op("Constant", "", "k", onnx.TensorAttr("value", halves(1))).op("Add", "f k", "a").
		op("Gemm", "a v", "g", onnx.IntAttr("transB", 1)).op("Cast", "g", "y", to(tensor.Float32)).out("y")
	after := agrees(t, m, 5e-3)
	wantOperators(t, after, "Conv Relu GlobalAveragePool Flatten Gemm")
	for _, v := range append(after.Graph.Initializers(), after.Graph.Value("r"), after.Graph.Outputs()[0]) {
		if v.DType() != tensor.Float32 {
			t.Errorf("%s is %s", v.Name(), v.DType())
		}
	}
	if types, err := after.Interface(); err != nil || len(types) != 0 {
		t.Errorf("interface %v, %v", types, err)
	}
}

// TestWidenHalfInterface: inputs and outputs are float32 inside, and a file for others has the types that they were.
func TestWidenHalfInterface(t *testing.T) {
	for _, half := range []tensor.DType{tensor.Float16, tensor.BFloat16} {
		b := build(t, 17)
		x, err := b.m.Graph.AddInput("x", half, tensor.Shape{-1, 2})
		b.check(err)
		c := halves(2)
		if half == tensor.BFloat16 {
			c = bfloats(tensor.Shape{2}, 1, -0.5)
		}
		m := b.init("c", c).op("Add", "x c", "z").op("Relu", "z", "r").op("Cast", "r", "y", onnx.IntAttr("to", 1)).out("z", "y")
		m.Graph.Value("z").SetType(half, tensor.Shape{-1, 2})
		m.Graph.Value("y").SetType(tensor.Float32, tensor.Shape{-1, 2})
		if err := Normalise(m); err != nil {
			t.Fatal(err)
		}
		wantListing(t, m, "Add(x, c) -> z\nRelu(z) -> y")
		if x.DType() != tensor.Float32 {
			t.Errorf("the input is %s", x.DType())
		}
		outward, err := m.Outward()
		if err != nil {
			t.Fatal(err)
		}
		if err := outward.Validate(); err != nil {
			t.Fatal(err)
		}
		wantListing(t, outward, "Cast(x) -> x/float32\nAdd(x/float32, c) -> z/replaced\nRelu(z/replaced) -> y\nCast(z/replaced) -> z")
		types := []tensor.DType{half, half, tensor.Float32}
		for i, v := range append(outward.Graph.Inputs(), outward.Graph.Outputs()...) {
			if v.DType() != types[i] {
				t.Errorf("%s is %s, not %s", v.Name(), v.DType(), types[i])
			}
		}
		inward, err := outward.Inward()
		if err != nil {
			t.Fatal(err)
		}
		want, _ := m.Marshal()
		if got, err := inward.Marshal(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: back again it is\n%s", err, listing(inward))
		}
	}
}

// TestWidenHalfLeaves: a constant that leaves the graph keeps its type, and nodes read a copy.
func TestWidenHalfLeaves(t *testing.T) {
	m := build(t, 17).in("x", -1, 2).init("c", halves(2)).op("Cast", "c", "w", onnx.IntAttr("to", 1)).op("Add", "x w", "y").out("y", "c")
	apply(t, WidenHalf{}, m)
	wantListing(t, m, "Cast(c_1) -> w\nAdd(x, w) -> y")
	if d := m.Graph.Value("c").DType(); d != tensor.Float16 {
		t.Errorf("the output is %s", d)
	}
}
