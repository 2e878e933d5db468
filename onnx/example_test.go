package onnx_test

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// A model is built, and then edited: a Clip goes between the product and its reader.
func Example() {
	m := onnx.New(17)
	g := m.Graph
	x, _ := g.AddInput("x", tensor.Float32, tensor.Shape{-1, 2})
	w, _ := g.AddInitializer("w", tensor.From(tensor.Shape{2, 2}, []float32{1, 2, 3, 4}))
	mul, _ := g.AddNode(onnx.NodeSpec{Op: "MatMul", Inputs: []*onnx.Value{x, w}, Outputs: []string{"product"}}, nil)
	relu, _ := g.AddNode(onnx.NodeSpec{Op: "Relu", Inputs: mul.Outputs(), Outputs: []string{"y"}}, nil)
	_ = g.AddOutput(relu.Output(0))

	clip, _ := g.AddNode(onnx.NodeSpec{Op: "Clip", Outputs: []string{g.FreshName("product")}, Inputs: mul.Outputs()}, relu)
	relu.SetInput(0, clip.Output(0))

	for _, n := range g.Nodes() {
		fmt.Println(n, "reads", n.Input(0).Name())
	}
	fmt.Println(g.Remove(clip), m.Validate())
	// Output:
	// MatMul node "MatMul_product" reads x
	// Clip node "Clip_product_1" reads product
	// Relu node "Relu_y" reads product_1
	// remove Clip node "Clip_product_1": its output "product_1" is read by Relu node "Relu_y" <nil>
}
