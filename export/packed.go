package export

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// packedOpset is the first operator set with BitwiseOr and its kin.
const packedOpset = 18

// checkPacked says why a profile has no packed files, and raises the operator set for one that has.
func (e *exporter) checkPacked() error {
	if !e.options.Packed {
		return nil
	}
	if e.profile.Unpackable != "" {
		return fmt.Errorf("packed weights: %s", e.profile.Unpackable)
	}
	v := e.model.Opset("")
	if v >= packedOpset {
		return nil
	}
	if err := checkRaised(v, e.graph); err != nil {
		return err
	}
	e.model.SetOpset("", packedOpset)
	e.raised = v
	return nil
}

// checkRaised names a node, be it in a body, that would mean something else in packedOpset than in the operator set it
// was written for.
func checkRaised(from int64, g *onnx.Graph) error {
	for _, n := range g.Nodes() {
		for _, in := range append(n.Inner(), onnx.Inner{Domain: n.Domain(), Op: n.Op(), Name: n.Name()}) {
			if in.Domain == "" && changed(in.Op, from, packedOpset) {
				return fmt.Errorf("packed weights need opset %d, and %s %q means something else there than in opset %d", packedOpset, in.Op, in.Name, from)
			}
		}
	}
	return nil
}

// changed reports whether the nodes of an operator have another form in a newer operator set.
func changed(name string, from, to int64) bool {
	set := op.Of("", name).Changed
	return from < set && set <= to
}

// field is a run of bits of every code, stored by itself: 8/width codes to a byte.
type field struct{ width, at int }

// fields splits a width into runs that fill bytes evenly, wide ones first: the sign of an odd width stands alone.
func fields(bits int) []field {
	var out []field
	for at, w := 0, 4; w >= 1; w /= 2 {
		if bits&w != 0 {
			out = append(out, field{w, at})
			at += w
		}
	}
	return out
}

// packField stores one field of all codes. Byte j holds code j in its lowest bits, code j+len(bytes) above, and so on,
// so that unpacking needs shifts and no interleaving.
func packField(codes []int8, f field) []byte {
	per := 8 / f.width
	size := (len(codes) + per - 1) / per
	out := make([]byte, size)
	for i, c := range codes {
		bits := byte(c) >> f.at & (1<<f.width - 1)
		out[i%size] |= bits << (i / size * f.width)
	}
	return out
}

// packedWeights are weight codes at their own width, with the operators that unpack them. The operators read constants
// alone, so onnxruntime runs them once when it loads the file, and folds weights that are stored as int8 otherwise. All
// of them work on bytes: an int32 on the way would take several times the memory while loading.
func packedWeights(e *exporter, l *quantize.Layer, f quantize.Folded, bits int) (*onnx.Value, error) {
	u := &unpacking{e: e, name: fmt.Sprintf("unpack%d", e.layer[l.Node])}
	var v, negative *onnx.Value
	above := byte(0xff) << bits // bits that repeat the sign: two's complement of 8 bits
	for _, part := range fields(bits) {
		x := u.field(f.Codes, part, l.Shape)
		switch {
		case part.at == bits-1:
			negative, above = u.bool(x), byte(0xff)<<(bits-1)
		case v == nil:
			v = x
		default:
			v = u.op("BitwiseOr", tensor.Uint8, v, x)
		}
	}
	if negative == nil {
		negative = u.bool(u.op("BitwiseAnd", tensor.Uint8, v, u.bytes(byte(1)<<(bits-1))))
	}
	v = u.op("Where", tensor.Uint8, negative, u.op("BitwiseOr", tensor.Uint8, v, u.bytes(above)), v)
	v = u.op("Cast", tensor.Int8, v, onnx.IntAttr("to", int64(tensor.Int8)))
	zero := u.constant(tensor.From(tensor.Shape{l.OutChannels}, make([]int8, l.OutChannels)))
	scale := u.constant(tensor.From(tensor.Shape{l.OutChannels}, f.Scale))
	if u.err != nil {
		return nil, fmt.Errorf("pack weights of layer %q: %w", l.Node, u.err)
	}
	v.SetType(tensor.Int8, l.Shape)
	return e.node("DequantizeLinear", l.Node+"/weight/dequantize", l.Weight+"/dequantized", tensor.Float32, l.Shape,
		[]*onnx.Value{v, scale, zero}, onnx.IntAttr("axis", int64(l.Axis)))
}

// unpacking adds nodes until one cannot be added; err is why.
type unpacking struct {
	e    *exporter
	name string
	err  error
}

func (u *unpacking) bool(x *onnx.Value) *onnx.Value {
	return u.op("Cast", tensor.Bool, x, onnx.IntAttr("to", int64(tensor.Bool)))
}

// field unpacks one field of every code to its place in a byte, or a lone bit to 0 or 1 wherever its place is.
// onnxruntime keeps what every operator makes until it has loaded the file, so each one saved is a byte per weight.
func (u *unpacking) field(codes []int8, f field, shape tensor.Shape) *onnx.Value {
	data := packField(codes, f)
	per := 8 / f.width
	left := make([]byte, per) // brings field i of a byte to the top
	for i := range left {
		left[i] = byte(8 - f.width*(i+1))
	}
	v := u.constant(tensor.From(tensor.Shape{1, len(data)}, data))
	v = u.op("BitShift", tensor.Uint8, v, u.shared(fmt.Sprintf("left%d", f.width), tensor.From(tensor.Shape{per, 1}, left)), onnx.StringAttr("direction", "LEFT"))
	v = u.op("BitShift", tensor.Uint8, v, u.bytes(byte(8-f.width)), onnx.StringAttr("direction", "RIGHT"))
	if f.at > 0 && f.width > 1 {
		v = u.op("BitShift", tensor.Uint8, v, u.bytes(byte(f.at)), onnx.StringAttr("direction", "LEFT"))
	}
	if len(data)*per != len(codes) {
		v = u.op("Reshape", tensor.Uint8, v, u.ints(-1))
		v = u.op("Slice", tensor.Uint8, v, u.ints(0), u.ints(int64(len(codes))))
	}
	return u.op("Reshape", tensor.Uint8, v, u.ints(int64s(shape)...))
}

// op adds a node; arguments are inputs and attributes.
func (u *unpacking) op(op string, dtype tensor.DType, args ...any) *onnx.Value {
	if u.err != nil {
		return nil
	}
	var in []*onnx.Value
	var attrs []onnx.Attr
	for _, a := range args {
		switch a := a.(type) {
		case *onnx.Value:
			in = append(in, a)
		case onnx.Attr:
			attrs = append(attrs, a)
		}
	}
	// Short names: there are a dozen nodes to a layer, and small networks have few weights.
	v, err := u.e.node(op, u.name, u.name, dtype, nil, in, attrs...)
	u.err = err
	return v
}

func (u *unpacking) constant(t *tensor.Tensor) *onnx.Value {
	if u.err != nil {
		return nil
	}
	v, err := u.e.constant(u.name+"/data", t)
	u.err = err
	return v
}

// shared adds a small constant once for all layers.
func (u *unpacking) shared(name string, t *tensor.Tensor) *onnx.Value {
	name = "unpack/" + name
	if v := u.e.shared[name]; v != nil || u.err != nil {
		return v
	}
	v, err := u.e.constant(name, t)
	u.err = err
	if err == nil {
		u.e.shared[name] = v
	}
	return v
}

func (u *unpacking) bytes(b byte) *onnx.Value {
	return u.shared(fmt.Sprintf("byte%d", b), tensor.Scalar(b))
}

func (u *unpacking) ints(v ...int64) *onnx.Value {
	return u.shared(fmt.Sprint("ints", v), tensor.From(tensor.Shape{len(v)}, v))
}

func int64s(s tensor.Shape) []int64 {
	out := make([]int64, len(s))
	for i, d := range s {
		out[i] = int64(d)
	}
	return out
}
