package pass

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// errNoEval says that the evaluator does not know an operator or a case of it; the node then stays.
var errNoEval = errors.New("no constant evaluation")

// maxFold bounds the elements of a folded result: a broadcast or range of more is better computed at run time than
// stored in the file.
const maxFold = 1 << 24

// maxRank bounds the dimensions of what is rearranged, each of which costs time per element. Runtimes stop at 8 or so.
const maxRank = 16

// evaluate computes the outputs of a node from constant inputs; nil stands for an omitted input. Results of more
// elements than there is room for are errNoEval, before anything is allocated for them.
func evaluate(n *onnx.Node, opset int64, in []*tensor.Tensor, room int) ([]*tensor.Tensor, error) {
	f := evaluators[n.Op()]
	if f == nil || (n.Domain() != "" && n.Domain() != "ai.onnx") {
		return nil, errNoEval
	}
	out, err := f(call{n, opset, in, room})
	if err != nil {
		return nil, fmt.Errorf("evaluate %s %q: %w", n.Op(), n.Name(), err)
	}
	return out, nil
}

// call is one node with the values of its inputs.
type call struct {
	node  *onnx.Node
	opset int64
	in    []*tensor.Tensor
	room  int // elements that a result may have
}

// fits reports whether a result may have a shape. Shapes of no elements may be huge all the same: nothing may count the
// steps of some of their dimensions.
func fits(shape tensor.Shape, room int) bool {
	n := shape.Numel()
	return n >= 0 && n <= room && len(shape) <= maxRank
}

type evalFunc func(call) ([]*tensor.Tensor, error)

// evaluators are the functions by operator.
var evaluators = map[string]evalFunc{
	"Constant": evalConstant, "ConstantOfShape": evalConstantOfShape, "Shape": evalShape, "Size": evalSize, "Range": evalRange,
	"Identity": func(c call) ([]*tensor.Tensor, error) { return one(c.arg(0)) },
	"Cast":     evalCast, "Where": evalWhere, "ReduceProd": evalReduceProd,
	"DequantizeLinear": evalDequantize, "QuantizeLinear": evalQuantize,

	"Add": evalBinary, "Sub": evalBinary, "Mul": evalBinary, "Div": evalBinary, "Min": evalBinary, "Max": evalBinary, "Mod": evalBinary,
	"Equal": evalBinary, "Less": evalBinary, "Greater": evalBinary, "LessOrEqual": evalBinary, "GreaterOrEqual": evalBinary,
	"And": evalBinary, "Or": evalBinary,
	"Neg": evalUnary, "Abs": evalUnary, "Sqrt": evalUnary, "Floor": evalUnary, "Ceil": evalUnary, "Not": evalUnary,

	// These move elements without looking at them.
	"Gather": evalGather, "Slice": evalSlice, "Concat": evalConcat, "Reshape": evalReshape, "Flatten": evalFlatten, "Squeeze": evalSqueeze,
	"Unsqueeze": evalUnsqueeze, "Expand": evalExpand, "Tile": evalTile, "Transpose": evalTranspose,
}

// arg is input i, an error where it is missing.
func (c call) arg(i int) (*tensor.Tensor, error) {
	if i >= len(c.in) || c.in[i] == nil {
		return nil, fmt.Errorf("input %d is missing", i)
	}
	return c.in[i], nil
}

// ints decodes input i as integers.
func (c call) ints(i int) ([]int64, error) {
	t, err := c.arg(i)
	if err != nil {
		return nil, err
	}
	return tensor.Ints(t)
}

// intsOr reads integers from attribute name where the node has it (older opsets), else from input i; nil where neither.
func (c call) intsOr(name string, i int) ([]int64, error) {
	if c.node.Has(name) {
		return c.node.Ints(name), nil
	}
	if i >= len(c.in) || c.in[i] == nil {
		return nil, nil
	}
	return c.ints(i)
}

func one(t *tensor.Tensor, err error) ([]*tensor.Tensor, error) {
	if err != nil {
		return nil, err
	}
	return []*tensor.Tensor{t}, nil
}

// elementSize is the bytes of one element; packed and string types have none.
func elementSize(t *tensor.Tensor) (int, error) {
	if bits := t.DType.Bits(); bits >= 8 {
		return bits / 8, nil
	}
	return 0, fmt.Errorf("%w: type %s", errNoEval, t.DType)
}

// rearrange builds a tensor of the given shape whose element i is element from(i) of t, for i ascending.
func rearrange(t *tensor.Tensor, shape tensor.Shape, room int, from func(int) int) (*tensor.Tensor, error) {
	size, err := elementSize(t)
	if err != nil {
		return nil, err
	}
	if !fits(shape, room) {
		return nil, fmt.Errorf("%w: result of shape %s", errNoEval, shape)
	}
	n := shape.Numel()
	raw := make([]byte, 0, n*size)
	for i := range n {
		j := from(i) * size
		raw = append(raw, t.Raw[j:j+size]...)
	}
	return tensor.New(t.DType, shape, raw)
}

// mapped turns a flat index of shape into an offset, given an offset per step of each axis.
func mapped(shape tensor.Shape, step []int, start int) func(int) int {
	return func(i int) int {
		off := start
		for d := len(shape) - 1; d >= 0; d-- {
			off += i % shape[d] * step[d]
			i /= shape[d]
		}
		return off
	}
}

// expand broadcasts a tensor to a shape it is compatible with.
func expand(t *tensor.Tensor, shape tensor.Shape, room int) (*tensor.Tensor, error) {
	if t.Shape.Equal(shape) {
		return t, nil
	}
	own, step := t.Shape.Strides(), make([]int, len(shape))
	for i := range t.Shape {
		if d := len(shape) - len(t.Shape) + i; t.Shape[i] != 1 {
			step[d] = own[i]
		}
	}
	return rearrange(t, shape, room, mapped(shape, step, 0))
}
