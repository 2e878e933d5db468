package export

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// quantizer is the scale and zero point of a grid as constants of the document.
type quantizer struct {
	grid        quantize.Grid
	scale, zero *onnx.Value
}

func (e *exporter) quantizer(name string, g quantize.Grid) (quantizer, error) {
	scale, err := e.constant(name+"/scale", tensor.Scalar(g.Scale))
	if err != nil {
		return quantizer{}, err
	}
	zero, err := e.constant(name+"/zero", tensor.Scalar(g.Zero))
	return quantizer{grid: g, scale: scale, zero: zero}, err
}

// codes adds QuantizeLinear, and the Clip of the codes where the container does not bound them by itself. Node names
// begin with node, value names with value.
func (e *exporter) codes(q quantizer, source *onnx.Value, node, value string) (*onnx.Value, error) {
	v, err := e.node("QuantizeLinear", node+"/quantize", value+"/quantized", tensor.Uint8, shapeOf(source), []*onnx.Value{source, q.scale, q.zero})
	if err != nil || q.grid.Full() {
		return v, err
	}
	lo, err := e.constant(value+"/lo", tensor.Scalar(q.grid.Lo))
	if err != nil {
		return nil, err
	}
	hi, err := e.constant(value+"/hi", tensor.Scalar(q.grid.Hi))
	if err != nil {
		return nil, err
	}
	return e.node("Clip", node+"/clip", value+"/clipped", tensor.Uint8, shapeOf(source), []*onnx.Value{v, lo, hi})
}

// dequantize adds a DequantizeLinear of codes.
func (e *exporter) dequantize(q quantizer, codes *onnx.Value, node, value string) (*onnx.Value, error) {
	return e.node("DequantizeLinear", node, value, tensor.Float32, shapeOf(codes), []*onnx.Value{codes, q.scale, q.zero})
}

// root is the tensor of point i in the float document, and the grid that it is put on.
func (e *exporter) root(i int) (*onnx.Value, quantize.Grid, error) {
	name := e.plan.Points[i].Tensor
	v := e.graph.Value(name)
	if v == nil {
		return nil, quantize.Grid{}, fmt.Errorf("tensor %q is not in the model", name)
	}
	grid, err := e.plan.Root(e.supernet, e.policy, i)
	return v, grid, err
}

// quantizeRoot puts the quantizer of point i on its tensor and makes everything that reads the tensor read codes.
func (e *exporter) quantizeRoot(i int) error {
	t := &e.plan.Points[i]
	root, grid, err := e.root(i)
	if err != nil {
		return err
	}
	q, err := e.quantizer(t.Tensor, grid)
	if err != nil {
		return err
	}
	uses := root.Uses()
	node := origin(root)
	float := quantize.Source(root)
	source, err := e.separate(float, node, t.Tensor)
	if err != nil {
		return err
	}
	codes, err := e.codes(q, source, node, t.Tensor)
	if err != nil {
		return err
	}
	computes := node
	if source == float {
		computes = origin(float)
	}
	e.record(t.Tensor, codes, computes, e.rootBits(i), t, grid, t.Stream)
	return e.carry(i, q, root.Name(), codes, uses)
}

// rootBits is the width that point i is quantized with where it arises.
func (e *exporter) rootBits(i int) int {
	if t := &e.plan.Points[i]; t.Stream || t.Fixed {
		return 8
	}
	return e.policy.A[i]
}

// separate keeps a DequantizeLinear and the QuantizeLinear that follows it apart: onnxruntime would merge the two pairs
// of quantizers around them into one with a scale of its own. A LeakyRelu of slope 1 changes no value, and
// onnxruntime computes it between two quantizers with one table look-up.
func (e *exporter) separate(source *onnx.Value, node, value string) (*onnx.Value, error) {
	if p := source.Producer(); p == nil || p.Op() != "DequantizeLinear" {
		return source, nil
	}
	return e.node("LeakyRelu", node+"/keep", value+"/kept", tensor.Float32, shapeOf(source), []*onnx.Value{source}, onnx.FloatAttr("alpha", 1))
}

// carry hands the codes of a value, called name in the float document, to what reads the value.
func (e *exporter) carry(i int, q quantizer, name string, codes *onnx.Value, uses []onnx.Use) error {
	for _, u := range uses {
		var err error
		layer, isLayer := e.layer[u.Node.Name()]
		switch {
		case u.Index == 0 && quantize.IsView(u.Node):
			err = e.view(i, q, codes, u.Node)
		case u.Index == 0 && isLayer:
			err = e.layerInput(layer, q, name, codes, u.Node)
		case u.Index < 0:
			err = fmt.Errorf("a subgraph of %s reads tensor %q", u.Node, name)
		default:
			err = e.read(q, codes, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read gives one reader its own DequantizeLinear: runtimes fuse pairs that nothing else shares.
func (e *exporter) read(q quantizer, codes *onnx.Value, u onnx.Use) error {
	name := fmt.Sprintf("%s/input.%d/dequantize", u.Node.Name(), u.Index)
	v, err := e.dequantize(q, codes, name, fmt.Sprintf("%s/input.%d", u.Node.Name(), u.Index))
	if err != nil {
		return err
	}
	u.Node.SetInput(u.Index, v)
	return nil
}
