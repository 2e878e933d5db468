// Package engine compiles a dataflow graph of float32 operators to a static execution plan with liveness-planned
// buffers, runs it forward and sweeps it backward. It does not know ONNX (package decode reads graphs), quantization
// (quantize/fakequant adds its operators from outside), or which kernel runs.
package engine

import "github.com/mpqc/mpqc/internal/tensor"

// Graph is a directed acyclic dataflow graph in topological order.
type Graph struct {
	Nodes   []*Node
	Values  []*Value
	Inputs  []*Value
	Outputs []*Value
}

// Value is one tensor of the graph: a graph input, a constant, a parameter or a node's output. An unknown batch is -1
// as the first dimension of Shape.
type Value struct {
	Name  string
	Shape tensor.Shape

	// Const holds the elements of a float constant; Ints those of an integer one (axes, pads, shapes).
	Const []float32
	Ints  []int64
	// Param makes the value a trainable parameter; its elements are Param.Data.
	Param *Param

	Producer *Node // nil for inputs, constants and parameters
}

// IsConst reports whether the value is known before run time and never trained.
func (v *Value) IsConst() bool { return v.Const != nil || v.Ints != nil }

// Node applies Op to Inputs. An omitted optional input is nil.
type Node struct {
	Name    string // node name of the ONNX document
	Op      Op
	Inputs  []*Value
	Outputs []*Value
}

// Param is a trainable array with its accumulated gradient. Operators ADD to Grad and set Used. The optimizer skips
// parameters that no policy of the step used.
type Param struct {
	Name  string
	Kind  ParamKind
	Shape tensor.Shape
	Data  []float32
	Grad  []float32
	Used  bool
}

// ParamKind selects the optimizer's rule for a parameter.
type ParamKind int

// Kinds of parameters.
const (
	Weight   ParamKind = iota // conv and linear weights: SGD with weight decay
	Bias                      // biases: SGD without decay
	Scale                     // BatchNorm gamma and beta: SGD without decay
	StepSize                  // quantizer step sizes: Adam
)

// NewParam returns a parameter with data, which is kept, not copied.
func NewParam(name string, kind ParamKind, shape tensor.Shape, data []float32) *Param {
	if shape.Numel() != len(data) {
		panic("engine: parameter data does not fit shape")
	}
	return &Param{Name: name, Kind: kind, Shape: shape, Data: data, Grad: make([]float32, len(data))}
}
