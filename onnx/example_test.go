package onnx_test

import (
	"fmt"
	"log"

	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

// A model is built, and then edited: a Clip goes between the product and its reader.
func Example() {
	m := onnx.New(17)
	g := m.Graph
	x, _ := g.AddInput("x", onnx.Float32, onnx.Shape{-1, 2})
	weights, _ := onnx.NewTensor(onnx.Shape{2, 2}, []float32{1, 2, 3, 4})
	w, _ := g.AddInitializer("w", weights)
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

// A file is read, and its convolutions are counted with their weights.
func ExampleParse() {
	file, _, err := models.Example()
	if err != nil {
		log.Fatal(err)
	}
	m, err := onnx.Parse(file, "") // onnx.Load reads a path, and external data beside it
	if err != nil {
		log.Fatal(err)
	}
	convs, weights := 0, 0
	for _, n := range m.Graph.Nodes() {
		if n.Op() == "Conv" {
			convs++
			weights += n.Input(1).Const().Shape.Numel() // [out channels, in channels per group, height, width]
		}
	}
	in := m.Graph.Inputs()[0]
	shape, _ := in.Shape()
	fmt.Printf("%d convolutions with %d weights read %s %s\n", convs, weights, in.DType(), shape)
	// Output:
	// 8 convolutions with 63216 weights read float32 ?x1x28x28
}
