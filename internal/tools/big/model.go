//go:build unix

package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// Sizes that make the weights of a Gemm and of a Conv with 3x3 filters 67 MB each.
const (
	width    = 4096
	channels = 1365
)

// builder appends layers to a chain.
type builder struct {
	graph   *onnx.Graph
	x       *onnx.Value
	err     error
	weights int64 // bytes so far
}

// write saves a chain of Convs and then Gemms, half of the layers each, and returns the bytes of all weights.
func write(path string, layers int) (int64, error) {
	m := onnx.New(17)
	b := &builder{graph: m.Graph}
	b.x, b.err = m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, 3, 4, 4})
	// All layers of a shape share their elements until the file is written.
	filters, square := zeros(channels*channels*9), zeros(width*width)
	b.layer("Conv", "first", tensor.Shape{channels, 3, 3, 3}, zeros(channels*27))
	for i := range layers / 2 {
		b.layer("Conv", fmt.Sprintf("conv%d", i), tensor.Shape{channels, channels, 3, 3}, filters)
	}
	b.node("GlobalAveragePool", "pool")
	b.node("Flatten", "flat")
	b.layer("Gemm", "wide", tensor.Shape{width, channels}, zeros(width*channels))
	for i := range layers - layers/2 {
		b.layer("Gemm", fmt.Sprintf("gemm%d", i), tensor.Shape{width, width}, square)
	}
	if b.err != nil {
		return 0, b.err
	}
	if err := m.Graph.AddOutput(b.x); err != nil {
		return 0, err
	}
	if err := m.Save(path); err != nil {
		return 0, err
	}
	return b.weights, mark(m, path+onnx.DataSuffix)
}

func zeros(n int) []byte { return make([]byte, 4*n) }

// layer appends a Conv or Gemm with these weights, and a Relu.
func (b *builder) layer(op, name string, shape tensor.Shape, weights []byte) {
	if b.err != nil {
		return
	}
	t, err := tensor.New(tensor.Float32, shape, weights)
	if err != nil {
		b.err = err
		return
	}
	w, err := b.graph.AddInitializer(name+".weight", t)
	if err != nil {
		b.err = err
		return
	}
	b.weights += int64(len(weights))
	attr := onnx.IntAttr("transB", 1)
	if op == "Conv" {
		attr = onnx.IntsAttr("pads", []int64{1, 1, 1, 1})
	}
	b.node(op, name, w, attr)
	b.node("Relu", name+".relu")
}

// node appends an operator on the end of the chain; more holds further inputs and attributes.
func (b *builder) node(op, name string, more ...any) {
	if b.err != nil {
		return
	}
	spec := onnx.NodeSpec{Name: name, Op: op, Inputs: []*onnx.Value{b.x}, Outputs: []string{name + ".out"}}
	for _, x := range more {
		switch x := x.(type) {
		case *onnx.Value:
			spec.Inputs = append(spec.Inputs, x)
		case onnx.Attr:
			spec.Attrs = append(spec.Attrs, x)
		}
	}
	n, err := b.graph.AddNode(spec, nil)
	if err != nil {
		b.err = err
		return
	}
	b.x = n.Output(0)
}

// mark gives the disk back what the file beside a model holds, all zeros, and writes the first element of every tensor:
// one that no other tensor has there, so that weights that change places do not compare equal.
func mark(m *onnx.Model, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // too few layers for a second file
	}
	if err := os.Truncate(path, 0); err != nil {
		return err
	}
	if err := os.Truncate(path, info.Size()); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	const page = 4096 // tensors begin at one
	at := int64(0)
	for i, v := range m.Graph.Initializers() {
		var first [4]byte
		binary.LittleEndian.PutUint32(first[:], math.Float32bits(1+float32(i)/1024))
		if _, err := f.WriteAt(first[:], at); err != nil {
			return err
		}
		at = (at + int64(len(v.Const().Raw)) + page - 1) / page * page
	}
	return f.Sync()
}
