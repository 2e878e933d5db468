package ops_test

import (
	"context"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
)

// TestSplit cuts an axis unevenly; one piece reaches no loss, and its gradient is zero.
func TestSplit(t *testing.T) {
	op, err := ops.Registry()["Split"](attributes{"axis": 1.})
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{0, 1, 2, 3, 4, 10, 11, 12, 13, 14}
	p := engine.NewParam("x", engine.Weight, tensor.Shape{2, 5}, slices.Clone(x))
	in := &engine.Value{Name: "x", Shape: p.Shape, Param: p}
	n := &engine.Node{Name: "split", Op: op, Inputs: []*engine.Value{in}}
	for _, name := range []string{"a", "b", "c"} {
		n.Outputs = append(n.Outputs, &engine.Value{Name: name, Shape: tensor.Shape{2, -1}, Producer: n})
	}
	g := &engine.Graph{Nodes: []*engine.Node{n}, Values: append([]*engine.Value{in}, n.Outputs...), Outputs: []*engine.Value{n.Outputs[0], n.Outputs[2]}}
	pool := par.New(2)
	defer pool.Close()
	e, err := engine.Compile(g, engine.Options{Batch: 1, Training: true, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Forward(context.Background()); err != nil {
		t.Fatal(err)
	}
	if a, c := e.Output(0).Data, e.Output(1).Data; !slices.Equal(a, []float32{0, 1, 10, 11}) || !slices.Equal(c, []float32{4, 14}) {
		t.Errorf("pieces %v and %v", a, c)
	}
	copy(e.OutputGrad(0).Data, []float32{1, 2, 3, 4})
	copy(e.OutputGrad(1).Data, []float32{5, 6})
	e.ZeroGrad()
	if err := e.Backward(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := []float32{1, 2, 0, 0, 5, 3, 4, 0, 0, 6}; !slices.Equal(p.Grad, want) {
		t.Errorf("gradient %v, want %v", p.Grad, want)
	}
}
