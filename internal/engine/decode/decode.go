// Package decode brings a normalised ONNX document into the engine. onnx-go parses the graph and drives a backend
// defined here, which makes one engine node per operator. Because onnx-go drops node names, symbolic dimensions and
// types it does not know, it is fed a skeleton, and everything else is looked up in the document.
package decode

import (
	"errors"
	"fmt"

	onnxgo "github.com/owulveryck/onnx-go"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// ErrUnsupported marks a node whose operator the engine does not have.
var ErrUnsupported = errors.New("operator is not supported by the engine")

// Decode converts a normalised model to an engine graph, which shares nothing with it. Nodes and values keep their
// names.
//
// Float initializers that are weights or biases of Conv, Gemm and MatMul become parameters. Those of BatchNormalization
// belong to its ops.Norm. All other constants stay constant. The error wraps ErrUnsupported if the engine lacks an
// operator.
func Decode(m *onnx.Model) (*engine.Graph, error) {
	if err := supported(m.Graph); err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	data, err := skeleton(m)
	if err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	b := newBackend(m.Graph, ops.Registry())
	if err := b.inputs(); err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	if err := unmarshal(b, data); err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	if err := b.outputs(); err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	return b.out, nil
}

// supported is an error for the first node whose operator is unknown, before any work is done.
func supported(g *onnx.Graph) error {
	registry := ops.Registry()
	var problems []error
	for _, n := range g.Nodes() {
		if n.Domain() != "" || registry[n.Op()] == nil {
			problems = append(problems, fmt.Errorf("node %q (%s): %w", n.Name(), operator(n), ErrUnsupported))
		}
	}
	return errors.Join(problems...)
}

// operator is the operator of a node, with its domain unless that is ONNX's own.
func operator(n *onnx.Node) string {
	if n.Domain() == "" {
		return n.Op()
	}
	return n.Domain() + "." + n.Op()
}

// unmarshal runs onnx-go, which panics on some inputs; a panic becomes an error here.
func unmarshal(b *backend, data []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("onnx-go panicked: %v", r)
		}
	}()
	return onnxgo.NewModel(b).UnmarshalBinary(data)
}

// skeleton serialises names, operators and edges of the document: no weights, no shapes, no attributes.
func skeleton(m *onnx.Model) ([]byte, error) {
	s := onnx.New(m.Opset(""))
	values := map[*onnx.Value]*onnx.Value{}
	for _, v := range m.Graph.Inputs() {
		in, err := s.Graph.AddInput(v.Name(), tensor.Float32, nil)
		if err != nil {
			return nil, err
		}
		values[v] = in
	}
	one := tensor.From(tensor.Shape{1}, []float32{0}) // onnx-go rejects empty and small types; the document has the real ones
	for _, v := range m.Graph.Initializers() {
		c, err := s.Graph.AddInitializer(v.Name(), one)
		if err != nil {
			return nil, err
		}
		values[v] = c
	}
	for _, n := range m.Graph.Nodes() {
		spec := onnx.NodeSpec{Name: n.Name(), Op: n.Op()}
		for i, v := range n.Inputs() {
			if v != nil && values[v] == nil {
				return nil, fmt.Errorf("node %q (%s): nothing before it produces input %d, %q", n.Name(), n.Op(), i, v.Name())
			}
			spec.Inputs = append(spec.Inputs, values[v])
		}
		for _, v := range n.Outputs() {
			name := ""
			if v != nil {
				name = v.Name()
			}
			spec.Outputs = append(spec.Outputs, name)
		}
		added, err := s.Graph.AddNode(spec, nil)
		if err != nil {
			return nil, err
		}
		for i, v := range n.Outputs() {
			if v != nil {
				values[v] = added.Output(i)
			}
		}
	}
	for _, v := range m.Graph.Outputs() {
		if err := s.Graph.AddOutput(values[v]); err != nil {
			return nil, err
		}
	}
	return s.Marshal()
}
