package decode

import (
	"context"
	"sync"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/onnx"
)

// Function returns a function that computes node n in the engine, for the integer reference. It is safe for concurrent
// use.
//
// Operators that stay float between quantized layers have no exact integer form. There is nothing to verify but that
// onnxruntime computes the same function. lead is the size of the first axis per sample. in holds the elements of the
// node's inputs by position, out receives those of its outputs.
func Function(n *onnx.Node, lead int) (func(in, out [][]float32) error, error) {
	g, err := Operator(n)
	if err != nil {
		return nil, err
	}
	e, err := engine.Compile(g, engine.Options{Batch: lead})
	if err != nil {
		return nil, err
	}
	at := map[string]int{} // input of the node by name
	for i, v := range n.Inputs() {
		if v != nil {
			at[v.Name()] = i
		}
	}
	var mu sync.Mutex // an Exec belongs to one goroutine at a time
	return func(in, out [][]float32) error {
		mu.Lock()
		defer mu.Unlock()
		for i, v := range g.Inputs {
			copy(e.Input(i).Data, in[at[v.Name]])
		}
		if err := e.Forward(context.Background()); err != nil {
			return err
		}
		for i := range out {
			copy(out[i], e.Output(i).Data)
		}
		return nil
	}, nil
}
