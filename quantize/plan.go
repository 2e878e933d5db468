package quantize

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/op"
)

// Layer is a node that multiplies by constant weights, as one row of the plan.
type Layer struct {
	Node   string  // ONNX node name, unique in the graph
	Op     string  // ONNX operator: Conv, Gemm or MatMul
	Kind   op.Kind // of the operator
	Weight string  // initializer that holds the weights
	Bias   string  // initializer that holds the bias, or "" (a folded-in BatchNorm absorbs it)
	Norm   string  // BatchNormalization node that follows, or "" (Gemm, MatMul)
	Input  string  // value the layer reads
	Output string  // value it produces, after Norm where there is one
	Point  int     // index into Plan.Points of the activation quantizer it reads

	Shape       tensor.Shape // of the weights, as stored
	OutChannels int
	Axis        int   // axis of Shape that counts output channels
	InputAxis   int   // axis of Shape that counts the input channels of a group
	Depthwise   bool  // in groups of one input channel
	Groups      int   // of a Conv, else 0
	MACs        int64 // multiply-accumulates per sample
	Params      int64 // weight elements
	OutputShape tensor.Shape

	Fixed      bool  // first and last layer: 8/8, not searched
	Candidates []int // weight bit-widths, ascending
}

// Point is one activation quantizer. It sits on Tensor. Layers that read Tensor directly or through value-preserving
// operators (MaxPool, Reshape, Flatten, Transpose, Slice, zero Pad) share it, and so its width.
type Point struct {
	Tensor string // value that carries the quantizer (after Relu/Clip)
	Signed bool   // whether it can be negative; unsigned tensors use codes 0..2^b-1
	// Stream marks a tensor that enters or leaves an Add (or a pooling, Concat, Mul): it carries one 8-bit quantizer
	// with its own learned step, and layers that read it below 8 bits requantize from its codes.
	Stream     bool
	Fixed      bool  // read by a fixed layer: 8 bits
	Candidates []int // activation bit-widths, ascending; {8} where nothing is searched
	Layers     []int // indices of the layers that read it, ascending; may be empty for a stream
	Elements   int64 // elements per sample, the weight of this point in average activation bits
	// ClipMax is the upper bound of a Clip/Relu6 that produces the tensor; 0 where there is none.
	ClipMax float32
	// Int8 says that the runtime stores codes in int8 with zero point 0, so that those of an unsigned tensor end at 127
	// even at 8 bits.
	Int8 bool
	// Asymmetric says that the tensor's negative part is small and the runtime supports zero points. Codes then begin
	// where the values do: see ZeroPoint. Signed is true, and the supernet holds LowName.
	Asymmetric bool
	// Output marks the result of a Conv in front of an activation that no quantizer absorbs, such as HardSwish. It
	// carries a quantizer of 8 bits only because some runtimes compute the Conv on integers then; dialects of others
	// leave it out.
	Output bool
	// Off removes the quantizer from the network of one dialect: the tensor stays float there. No layer reads it.
	Off bool
}

// Plan says which layers and tensors of one model are quantized and what each may choose. Its order is the order of
// the document, and ties everywhere are broken by it.
type Plan struct {
	Layers []Layer
	Points []Point
	// Roots maps every value that carries the codes of a point, be it the point's own tensor or a value-preserving
	// view of it, to the point's index.
	Roots map[string]int
	// Float lists nodes that stay in float although they compute, with the reason.
	Float []FloatNode
	// FloatRest is the part of the packed size that bits do not change, in bytes: a bias and a scale per output channel
	// of every layer, a scale per point, and all other initializers, at 4 bytes each.
	FloatRest int64
	// Outputs says that PlanOptions.Outputs made a difference.
	Outputs bool
}

// FloatNode is a node that is not quantized.
type FloatNode struct{ Node, Op, Reason string }

// Policy is one choice of bits for every layer and every point of a plan.
type Policy struct {
	W []int `json:"w"` // per Plan.Layers
	A []int `json:"a"` // per Plan.Points
}

// Equal reports whether two policies choose the same bits everywhere.
func (p Policy) Equal(o Policy) bool { return slices.Equal(p.W, o.W) && slices.Equal(p.A, o.A) }

// Clone returns an independent copy.
func (p Policy) Clone() Policy {
	return Policy{W: append([]int(nil), p.W...), A: append([]int(nil), p.A...)}
}

// Asymmetric is the first point that has a zero point of its own, -1 without any.
func (p *Plan) Asymmetric() int {
	return slices.IndexFunc(p.Points, func(t Point) bool { return t.Asymmetric })
}
