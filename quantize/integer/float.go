package integer

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// operand is an input of a float operator: a slot, or a constant.
type operand struct {
	slot     int
	constant []float32
	shape    tensor.Shape
}

func (o operand) data(w *worker) []float32 {
	if o.constant != nil {
		return o.constant
	}
	return w.floats[o.slot]
}

// floatNode compiles an operator that the runtime computes in float, and the quantizer behind it.
func (b *builder) floatNode(n *onnx.Node) error {
	if err := b.floatValue(n); err != nil {
		return err
	}
	for _, v := range n.Outputs() {
		if _, computed := b.raw[v]; computed {
			if err := b.quantizeRaw(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// floatValue compiles the operator alone.
func (b *builder) floatValue(n *onnx.Node) error {
	out := n.Output(0)
	shape, err := b.sample(out)
	if err != nil {
		return err
	}
	var in []operand
	for _, v := range n.Inputs() {
		o, err := b.operand(v)
		if err != nil {
			return err
		}
		in = append(in, o)
	}
	f, err := floatOp(n, in, shape)
	if b.other != nil && (err != nil || len(n.Outputs()) > 1) {
		return b.otherValue(n, in)
	}
	if err != nil {
		return err
	}
	b.inexact(n)
	slot := b.floatSlot(shape)
	b.raw[out] = slot
	b.emit(func(w *worker) { f(w, w.floats[slot]) })
	return nil
}

func (b *builder) operand(v *onnx.Value) (operand, error) {
	if v == nil {
		return operand{}, nil
	}
	if t := v.Const(); t != nil {
		if t.DType == tensor.Int64 || t.DType == tensor.Int32 {
			return operand{shape: t.Shape}, nil // shapes and axes: the operator reads them from the node
		}
		f, err := tensor.Floats(t)
		return operand{constant: f, shape: t.Shape}, err
	}
	slot, err := b.float(v)
	if err != nil {
		return operand{}, err
	}
	shape, err := b.sample(v)
	return operand{slot: slot, shape: shape}, err
}

// floatOp makes the loop of an operator: it fills y.
func floatOp(n *onnx.Node, in []operand, shape tensor.Shape) (func(w *worker, y []float32), error) {
	if f := unary(n, in); f != nil {
		return func(w *worker, y []float32) {
			for i, v := range in[0].data(w) {
				y[i] = f(v)
			}
		}, nil
	}
	switch row := n.Traits(); {
	case arithmetic[n.Op()] != nil:
		return binary(n.Op(), in, shape)
	case row.Kind == op.Conv || row.Kind == op.Gemm || row.Kind == op.MatMul:
		return floatLayer(n, in, shape)
	case row.Has(op.View) || n.Op() == "Identity":
		return floatMove(n, in, shape)
	}
	switch n.Op() {
	case "GlobalAveragePool", "AveragePool":
		return floatPool(n, in[0], shape)
	case "BatchNormalization":
		return floatNorm(n, in)
	case "Softmax":
		if a := n.Int("axis", -1); a != -1 && int(a) != len(shape)-1 {
			return nil, fmt.Errorf("axis %d of Softmax over %s is unknown to the reference", a, shape)
		}
		return func(w *worker, y []float32) {
			last := shape[len(shape)-1]
			kernel.Softmax(in[0].data(w), len(y)/last, last, y)
		}, nil
	default:
		return nil, fmt.Errorf("operator %s is unknown to the reference", n.Op())
	}
}

// floatMove moves elements of the first input.
func floatMove(n *onnx.Node, in []operand, shape tensor.Shape) (func(w *worker, y []float32), error) {
	m, err := newMove(n, in[0].shape, shape)
	if err != nil {
		return nil, err
	}
	padding, err := padValue(n, in)
	return func(w *worker, y []float32) { run(m, in[0].data(w), y, lowest, padding) }, err
}

// padValue is what a Pad puts around its input, 0 for other operators.
func padValue(n *onnx.Node, in []operand) (float32, error) {
	switch {
	case n.Op() != "Pad" || n.Input(2) == nil:
		return 0, nil
	case len(in[2].constant) != 1:
		return 0, fmt.Errorf("the value of Pad, %q, is no constant number", n.Input(2).Name())
	}
	return in[2].constant[0], nil
}

// unary is an operator of one element, nil for others.
func unary(n *onnx.Node, in []operand) func(v float32) float32 {
	double := func(f func(float64) float64) func(float32) float32 {
		return func(v float32) float32 { return float32(f(float64(v))) }
	}
	switch n.Op() {
	case "Relu":
		return func(v float32) float32 { return max(v, 0) }
	case "Clip":
		lo, hi := float32(math.Inf(-1)), float32(math.Inf(1))
		if len(in) > 1 && len(in[1].constant) == 1 {
			lo = in[1].constant[0]
		}
		if len(in) > 2 && len(in[2].constant) == 1 {
			hi = in[2].constant[0]
		}
		return func(v float32) float32 { return min(max(v, lo), hi) }
	case "Sigmoid":
		return double(func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
	case "Tanh":
		return double(math.Tanh)
	case "HardSigmoid":
		alpha, beta := n.Float("alpha", 0.2), n.Float("beta", 0.5)
		return func(v float32) float32 { return min(max(alpha*v+beta, 0), 1) }
	case "HardSwish":
		return func(v float32) float32 { return v * min(max(v/6+0.5, 0), 1) }
	case "LeakyRelu":
		alpha := n.Float("alpha", 0.01)
		return func(v float32) float32 {
			if v < 0 {
				return alpha * v
			}
			return v
		}
	default:
		return nil
	}
}

// arithmetic is what operators of two operands do to elements.
var arithmetic = map[string]func(a, b float32) float32{
	"Add": func(a, b float32) float32 { return a + b },
	"Sub": func(a, b float32) float32 { return a - b },
	"Mul": func(a, b float32) float32 { return a * b },
	"Div": func(a, b float32) float32 { return a / b },
}

// binary is element-wise arithmetic with ONNX broadcasting.
func binary(name string, in []operand, shape tensor.Shape) (func(w *worker, y []float32), error) {
	f := arithmetic[name]
	if len(in) != 2 {
		return nil, fmt.Errorf("%s of %d operands", name, len(in))
	}
	a, err := broadcast(in[0].shape, shape)
	if err != nil {
		return nil, err
	}
	b, err := broadcast(in[1].shape, shape)
	if err != nil {
		return nil, err
	}
	return func(w *worker, y []float32) {
		x, z := in[0].data(w), in[1].data(w)
		for i := range y {
			y[i] = f(x[a[i]], z[b[i]])
		}
	}, nil
}

// broadcast maps every element of y to the element of x that it reads.
func broadcast(x, y tensor.Shape) ([]int32, error) {
	if len(x) > len(y) {
		return nil, fmt.Errorf("operand %s does not broadcast to %s", x, y)
	}
	index := make([]int32, y.Numel())
	at := make([]int, len(y))
	for i := range index {
		p := 0
		for d, size := range x {
			o := at[len(y)-len(x)+d]
			if size == 1 {
				o = 0
			} else if size != y[len(y)-len(x)+d] {
				return nil, fmt.Errorf("operand %s does not broadcast to %s", x, y)
			}
			p = p*size + o
		}
		index[i] = int32(p)
		advance(at, y)
	}
	return index, nil
}

// floatLayer is a Conv, Gemm or MatMul that is not quantized.
func floatLayer(n *onnx.Node, in []operand, shape tensor.Shape) (func(w *worker, y []float32), error) {
	if len(in) < 2 || in[1].constant == nil || n.Int("transA", 0) != 0 || n.Float("alpha", 1) != 1 || n.Float("beta", 1) != 1 {
		return nil, fmt.Errorf("%s without constant weights or with transA, alpha or beta", n.Op())
	}
	kind := n.Traits().Kind
	if !kind.Spatial() && len(in[1].shape) != 2 {
		return nil, fmt.Errorf("%s by weights of shape %s", n.Op(), in[1].shape)
	}
	weights := in[1].constant
	var bias []float32
	if n.Input(2) != nil {
		if bias = in[2].constant; bias == nil {
			return nil, fmt.Errorf("%s with a bias that is computed", n.Op())
		}
	}
	channels, inner := shape[len(shape)-1], 1
	var product func(x, y []float32)
	if kind.Spatial() {
		s, err := convShape(n, in[0].shape, in[1].shape, shape)
		if err != nil {
			return nil, err
		}
		channels, inner = s.K, s.OH*s.OW
		product = func(x, y []float32) { kernel.ConvForward(nil, s, x, weights, y, nil) }
	} else {
		trans := n.Int("transB", 0) != 0
		depth := len(weights) / channels
		ldb := channels
		if trans {
			ldb = depth
		}
		product = func(x, y []float32) {
			kernel.Gemm(nil, false, trans, len(x)/depth, channels, depth, 1, x, depth, weights, ldb, 0, y, channels)
		}
	}
	if bias != nil && len(bias) != channels {
		return nil, fmt.Errorf("bias has %d elements for %d channels", len(bias), channels)
	}
	return func(w *worker, y []float32) {
		product(in[0].data(w), y)
		if bias != nil {
			for i := range y {
				y[i] += bias[i/inner%channels]
			}
		}
	}, nil
}

func floatPool(n *onnx.Node, x operand, shape tensor.Shape) (func(w *worker, y []float32), error) {
	if len(x.shape) != 4 || len(shape) != 4 {
		return nil, fmt.Errorf("%s of %s is not 2-D", n.Op(), x.shape)
	}
	s := poolShape(n, x.shape, shape)
	return func(w *worker, y []float32) { kernel.AvgPoolForward(nil, s, x.data(w), y) }, nil
}

func floatNorm(n *onnx.Node, in []operand) (func(w *worker, y []float32), error) {
	if len(in) != 5 {
		return nil, fmt.Errorf("BatchNormalization of %d operands", len(in))
	}
	channels := len(in[1].constant)
	for _, o := range in[1:] {
		if channels == 0 || len(o.constant) != channels {
			return nil, fmt.Errorf("parameters of BatchNormalization are not constants of one length")
		}
	}
	eps := n.Float("epsilon", 1e-5)
	scale, shift := make([]float32, channels), make([]float32, channels)
	for k := range scale {
		scale[k] = in[1].constant[k] / float32(math.Sqrt(float64(in[4].constant[k])+float64(eps)))
		shift[k] = in[2].constant[k] - in[3].constant[k]*scale[k]
	}
	inner := in[0].shape[2:].Numel()
	return func(w *worker, y []float32) {
		for i, v := range in[0].data(w) {
			k := i / inner % channels
			y[i] = v*scale[k] + shift[k]
		}
	}, nil
}
