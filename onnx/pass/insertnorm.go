package pass

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// InsertNorm puts a BatchNormalization named <conv>/norm behind a Conv: Conv(x, W[, b]) -> Y becomes Conv(x, W) ->
// Y/conv -> BatchNormalization -> Y. The bias of the Conv is removed: the caller's mean has to account for it. All four
// slices hold one number per output channel.
func InsertNorm(m *onnx.Model, conv *onnx.Node, gamma, beta, mean, vari []float32) error {
	if err := insertNorm(m.Graph, conv, [4][]float32{gamma, beta, mean, vari}); err != nil {
		return fmt.Errorf("insert BatchNormalization: %w", err)
	}
	return nil
}

func insertNorm(g *onnx.Graph, conv *onnx.Node, params [4][]float32) error {
	if err := checkInsert(g, conv, params); err != nil {
		return err
	}
	y, name := conv.Output(0), conv.Name()+"/norm"
	inputs := []*onnx.Value{y}
	for i, part := range []string{"gamma", "beta", "mean", "var"} {
		v, err := g.AddInitializer(g.FreshName(name+"."+part), tensor.From(tensor.Shape{len(params[i])}, params[i]))
		if err != nil {
			return err
		}
		inputs = append(inputs, v)
	}
	readers, out := y.Uses(), y.Name()
	bn, err := g.AddNode(onnx.NodeSpec{
		Name: name, Op: "BatchNormalization", Inputs: inputs, Outputs: []string{g.FreshName(out + "/norm")},
		Attrs: []onnx.Attr{onnx.FloatAttr("epsilon", 1e-5)},
	}, next(g, conv))
	if err != nil {
		return err
	}
	for _, u := range readers {
		u.Node.SetInput(u.Index, bn.Output(0))
	}
	if shape, known := y.Shape(); known {
		bn.Output(0).SetType(y.DType(), shape)
	}
	if bias := conv.Input(2); bias != nil {
		conv.SetInput(2, nil)
		if len(bias.Uses()) == 0 && bias.IsInitializer() && !bias.IsOutput() {
			if err := g.RemoveInitializer(bias); err != nil {
				return err
			}
		}
	}
	return swapNames(g, y, bn.Output(0), out)
}

// swapNames gives the name of the Conv's output, and its place among the graph outputs, to that of the norm.
func swapNames(g *onnx.Graph, y, z *onnx.Value, out string) error {
	if y.IsOutput() {
		if err := g.ReplaceOutput(y, z); err != nil {
			return err
		}
		return g.RenameValue(y, g.FreshName(out+"/conv"))
	}
	if err := g.RenameValue(y, g.FreshName(out+"/conv")); err != nil {
		return err
	}
	return g.RenameValue(z, out)
}

func checkInsert(g *onnx.Graph, conv *onnx.Node, params [4][]float32) error {
	if conv == nil || conv.Op() != "Conv" || g.Node(conv.Name()) != conv {
		return errors.New("no Conv of this graph given")
	}
	w := conv.Input(1)
	if conv.Output(0) == nil {
		return fmt.Errorf("%s has no output", conv)
	}
	if w == nil || w.Const() == nil || len(w.Const().Shape) == 0 {
		return fmt.Errorf("%s has no constant weights", conv)
	}
	for _, p := range params {
		if len(p) != w.Const().Shape[0] {
			return fmt.Errorf("%s has %d channels, parameters have %d", conv, w.Const().Shape[0], len(p))
		}
	}
	if g.Node(conv.Name()+"/norm") != nil {
		return fmt.Errorf("%s has a norm already", conv)
	}
	for _, u := range conv.Output(0).Uses() {
		if u.Index < 0 {
			return fmt.Errorf("output of %s is read by a subgraph of %s", conv, u.Node)
		}
	}
	return nil
}

// next is the node after n in document order, nil at the end.
func next(g *onnx.Graph, n *onnx.Node) *onnx.Node {
	nodes := g.Nodes()
	for i := range nodes[:len(nodes)-1] {
		if nodes[i] == n {
			return nodes[i+1]
		}
	}
	return nil
}
