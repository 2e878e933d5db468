package export

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// layerWeights makes layer i read quantized weights and bias as the profile writes them, and takes the
// BatchNormalization behind it out: its factor is part of the scale, the rest of the bias.
func (e *exporter) layerWeights(i int) error {
	l := &e.plan.Layers[i]
	n := e.graph.Node(l.Node)
	if n == nil {
		return fmt.Errorf("layer %q is not in the model", l.Node)
	}
	grid, _, err := e.plan.Read(e.supernet, e.policy, i)
	if err != nil {
		return err
	}
	w, a := e.plan.Bits(e.policy, i)
	folded, err := quantize.Fold(*l, e.supernet, w, a, grid.Scale)
	if err != nil {
		return err
	}
	if err := e.dropNorm(l, n); err != nil {
		return fmt.Errorf("layer %q: %w", l.Node, err)
	}
	if folded.Bias != nil && !l.Kind.Biased() {
		if n, err = e.gemm(n); err != nil {
			return fmt.Errorf("layer %q: %w", l.Node, err)
		}
		e.layer[n.Name()] = i
	}
	weight, err := e.profile.weights(e, l, folded, w)
	if err != nil {
		return err
	}
	n.SetInput(1, weight)
	if folded.Bias == nil {
		n.SetInput(2, nil)
		return nil
	}
	bias, err := e.profile.bias(e, n, l, folded, grid.Scale)
	if err != nil {
		return err
	}
	n.SetInput(2, bias)
	return nil
}

// layers gives all layers their quantized weights.
func (e *exporter) layers() error {
	for i := range e.plan.Layers {
		if err := e.layerWeights(i); err != nil {
			return err
		}
	}
	return nil
}

// int8Weights are int8 codes behind DequantizeLinear, whatever their width.
func int8Weights(e *exporter, l *quantize.Layer, f quantize.Folded, bits int) (*onnx.Value, error) {
	if e.options.Packed && bits < 8 {
		return packedWeights(e, l, f, bits)
	}
	zero := tensor.From(tensor.Shape{l.OutChannels}, make([]int8, l.OutChannels))
	return e.dequantizeChannels(l.Node+"/weight", l.Weight, tensor.From(l.Shape, f.Codes), f.Scale, zero, l.Axis)
}

// dequantizeChannels adds integer constants with a scale per index of an axis.
func (e *exporter) dequantizeChannels(node, value string, codes *tensor.Tensor, scale []float32, zero *tensor.Tensor, axis int) (*onnx.Value, error) {
	var in []*onnx.Value
	for _, c := range []struct {
		suffix string
		t      *tensor.Tensor
	}{{"/codes", codes}, {"/scale", tensor.From(tensor.Shape{len(scale)}, scale)}, {"/zero", zero}} {
		v, err := e.constant(value+c.suffix, c.t)
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	return e.node("DequantizeLinear", node+"/dequantize", value+"/dequantized", tensor.Float32, codes.Shape, in, onnx.IntAttr("axis", int64(axis)))
}

// dropNorm removes the BatchNormalization behind a layer, whose output then carries the name and the readers of the
// BatchNormalization's.
func (e *exporter) dropNorm(l *quantize.Layer, n *onnx.Node) error {
	if l.Norm == "" {
		return nil
	}
	norm := e.graph.Node(l.Norm)
	if norm == nil || norm.Op() != "BatchNormalization" || norm.Input(0) != n.Output(0) {
		return fmt.Errorf("%q is not the BatchNormalization behind it", l.Norm)
	}
	return e.bypass(norm, n.Output(0))
}

// bypass makes everything that reads a node's output read v instead, removes the node and gives v its name.
func (e *exporter) bypass(n *onnx.Node, v *onnx.Value) error {
	out := n.Output(0)
	name := out.Name()
	if err := e.graph.ReplaceUses(out, v); err != nil {
		return err
	}
	isOutput := out.IsOutput()
	if isOutput {
		if err := e.graph.ReplaceOutput(out, v); err != nil {
			return err
		}
	}
	if err := e.graph.Remove(n); err != nil {
		return err
	}
	if isOutput {
		return nil
	}
	return e.graph.RenameValue(v, name)
}

// gemm replaces a MatMul of matrices by a Gemm, which takes a bias.
func (e *exporter) gemm(n *onnx.Node) (*onnx.Node, error) {
	x, out := n.Input(0), n.Output(0)
	if len(shapeOf(x)) != 2 || len(shapeOf(out)) != 2 {
		return nil, fmt.Errorf("a bias on a MatMul of rank %d has no quantized form", len(shapeOf(x)))
	}
	v, err := e.node("Gemm", n.Name()+"/gemm", out.Name()+"/gemm", out.DType(), shapeOf(out), []*onnx.Value{x, n.Input(1)})
	if err != nil {
		return nil, err
	}
	return v.Producer(), e.bypass(n, v)
}
