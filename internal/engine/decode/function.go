package decode

import (
	"context"
	"sync"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/onnx"
)

// Function is what a node computes, by the engine, as the integer reference borrows it: what stays float between quantized
// layers has no exact integer form, so there is nothing to check there but that the runtime computes the same function. The
// leading axis of what it reads has so many entries to a picture.
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
