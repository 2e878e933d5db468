//go:build unix

package main

import (
	"fmt"
	"os"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// width of the square layers.
const width = 4096

// write saves a chain of Gemms whose weights are one over the diagonal, and returns the bytes of all weights.
func write(path string, layers int) (int64, error) {
	m := onnx.New(17)
	g := m.Graph
	x, err := g.AddInput("x", tensor.Float32, tensor.Shape{-1, 3, 4, 4})
	if err != nil {
		return 0, err
	}
	first := make([]byte, 4*width*48)
	square := make([]byte, 4*width*width) // all layers share it until the file is written
	for i := range width {
		one := []byte{0, 0, 0x80, 0x3f}
		copy(first[4*(i*48+i%48):], one)
		copy(square[4*i*(width+1):], one)
	}
	if x, err = node(g, "Flatten", "flat", x); err != nil {
		return 0, err
	}
	total := int64(0)
	for i := range layers + 1 {
		w, in := square, width
		if i == 0 {
			w, in = first, 48
		}
		name := fmt.Sprintf("layer%d", i)
		t, err := tensor.New(tensor.Float32, tensor.Shape{width, in}, w)
		if err != nil {
			return 0, err
		}
		c, err := g.AddInitializer(name+".weight", t)
		if err != nil {
			return 0, err
		}
		n, err := g.AddNode(onnx.NodeSpec{
			Name: name, Op: "Gemm", Inputs: []*onnx.Value{x, c}, Outputs: []string{name + ".out"},
			Attrs: []onnx.Attr{onnx.IntAttr("transB", 1)},
		}, nil)
		if err != nil {
			return 0, err
		}
		if x, err = node(g, "Relu", name+".relu", n.Output(0)); err != nil {
			return 0, err
		}
		total += int64(len(w))
	}
	if err := g.AddOutput(x); err != nil {
		return 0, err
	}
	if err := m.Save(path); err != nil {
		return 0, err
	}
	return total, sparse(path + onnx.DataSuffix)
}

func node(g *onnx.Graph, op, name string, x *onnx.Value) (*onnx.Value, error) {
	n, err := g.AddNode(onnx.NodeSpec{Name: name, Op: op, Inputs: []*onnx.Value{x}, Outputs: []string{name + ".out"}}, nil)
	if err != nil {
		return nil, err
	}
	return n.Output(0), nil
}

// sparse gives the disk back what a file holds but for a few values at its start, and keeps its size.
func sparse(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil //nolint:nilerr // too few layers for a second file
	}
	if err := os.Truncate(path, 1<<16); err != nil {
		return err
	}
	return os.Truncate(path, info.Size())
}
