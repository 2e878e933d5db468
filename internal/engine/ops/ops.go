// Package ops holds the operators of the engine, one file each: formula and layouts, shape inference, forward, and
// backward beside it. They do what ONNX (opset 13 and later) says for float32 tensors. Shape letters: N batch, C input
// channels, H W plane, K output channels, R S window.
package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// Attributes are a node's attributes by name, with the value that an absent one has; *onnx.Node is one.
type Attributes interface {
	Has(name string) bool
	Int(name string, def int64) int64
	Ints(name string) []int64
	Float(name string, def float32) float32
	Floats(name string) []float32
	Str(name string, def string) string
}

// Builder makes the operator of one node from its attributes.
type Builder func(a Attributes) (engine.Op, error)

// Absorber is implemented by operators that take some of a node's inputs as settings (axes, bounds, BatchNorm
// statistics). The graph's builder calls it once with the inputs of the document; those returned stay inputs.
type Absorber interface {
	Absorb(in []*engine.Value) ([]*engine.Value, error)
}

// MultiOutput marks operators of which every output may be read. Of all others only the first is computed.
type MultiOutput interface{ MultiOutput() }

// Registry maps ONNX operator types to builders.
func Registry() map[string]Builder {
	return map[string]Builder{
		"Abs":                buildAbs,
		"Add":                buildAdd,
		"AveragePool":        buildAveragePool,
		"BatchNormalization": buildNorm,
		"Clip":               buildClip,
		"Concat":             buildConcat,
		"Conv":               buildConv,
		"Div":                buildDiv,
		"Dropout":            buildIdentity, // inference semantics: documents are decoded as they evaluate
		"Elu":                buildElu,
		"Erf":                buildErf,
		"Exp":                buildExp,
		"Flatten":            buildFlatten,
		"Gather":             buildGather,
		"Gelu":               buildGelu,
		"Gemm":               buildGemm,
		"GlobalAveragePool":  buildGlobalAveragePool,
		"HardSigmoid":        buildHardSigmoid,
		"HardSwish":          buildHardSwish,
		"Identity":           buildIdentity,
		"LayerNormalization": buildLayerNorm,
		"LeakyRelu":          buildLeakyRelu,
		"Log":                buildLog,
		"LogSoftmax":         buildLogSoftmax,
		"MatMul":             buildMatMul,
		"Max":                buildMax,
		"MaxPool":            buildMaxPool,
		"Mean":               buildMean,
		"Min":                buildMin,
		"Mish":               buildMish,
		"Mul":                buildMul,
		"Neg":                buildNeg,
		"Pad":                buildPad,
		"Pow":                buildPow,
		"PRelu":              buildPRelu,
		"Reciprocal":         buildReciprocal,
		"ReduceMean":         buildReduceMean,
		"ReduceSum":          buildReduceSum,
		"Relu":               buildRelu,
		"Reshape":            buildReshape,
		"Resize":             buildResize,
		"Sigmoid":            buildSigmoid,
		"Slice":              buildSlice,
		"Softmax":            buildSoftmax,
		"Softplus":           buildSoftplus,
		"Split":              buildSplit,
		"Sqrt":               buildSqrt,
		"Squeeze":            buildSqueeze,
		"Sub":                buildSub,
		"Sum":                buildSum,
		"Tanh":               buildTanh,
		"Transpose":          buildTranspose,
		"Unsqueeze":          buildUnsqueeze,
	}
}

// arity checks the number of inputs that are present at the front.
func arity(in []tensor.Shape, lo, hi int) error {
	if len(in) < lo || len(in) > hi {
		return fmt.Errorf("%d inputs, %d to %d wanted", len(in), lo, hi)
	}
	for i := range lo {
		if in[i] == nil {
			return fmt.Errorf("input %d is missing", i)
		}
	}
	return nil
}

// constInts are the elements of integer constant input i, and whether it is present.
func constInts(in []*engine.Value, i int, what string) ([]int64, bool, error) {
	if i >= len(in) || in[i] == nil {
		return nil, false, nil
	}
	v := in[i]
	if v.Ints == nil && !(v.Producer == nil && v.Const != nil && len(v.Const) == 0) {
		return nil, false, fmt.Errorf("%s (%q) must be an integer constant", what, v.Name)
	}
	return v.Ints, true, nil
}

// constFloat is the element of scalar constant input i, or def if it is absent.
func constFloat(in []*engine.Value, i int, what string, def float32) (float32, error) {
	if i >= len(in) || in[i] == nil {
		return def, nil
	}
	v := in[i]
	switch {
	case len(v.Const) == 1:
		return v.Const[0], nil
	case v.Param != nil && len(v.Param.Data) == 1:
		return v.Param.Data[0], nil
	default:
		return 0, fmt.Errorf("%s (%q) must be a constant number", what, v.Name)
	}
}
