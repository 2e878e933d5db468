package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
)

func TestGradientsOfNetwork(t *testing.T) {
	g, _ := residual()
	e := compile(t, g, engine.Options{Batch: 3, Training: true})
	got := step(t, e)[2:]
	for i, p := range e.Params() {
		loss := func() float64 {
			if err := e.Forward(context.Background()); err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for k := range 2 {
				for _, v := range e.Output(k).Data {
					sum += float64(v)
				}
			}
			return sum
		}
		if len(p.Data) > 200 {
			continue // w3 is linear and long
		}
		testkit.Close(t, p.Name, got[i], testkit.CentralDifferences(loss, p.Data, 0.01), 2e-3)
	}
}

func TestPlannerChangesNothing(t *testing.T) {
	o := engine.Options{Batch: 4, Training: true}
	g, _ := residual()
	e := compile(t, g, o)
	want := step(t, compile(t, g, engine.Apart(o)))
	if d := cmp.Diff(want, step(t, e)); d != "" {
		t.Errorf("results with shared memory differ (-apart +shared):\n%s", d)
	}
	if d := cmp.Diff(want, step(t, e)); d != "" {
		t.Errorf("the second step differs from the first:\n%s", d)
	}
	if all, apart := e.ArenaBytes(), compile(t, g, engine.Apart(o)).ArenaBytes(); all >= apart {
		t.Errorf("arena takes %d bytes, %d without sharing", all, apart)
	}
	for _, threads := range []int{1, 2, 3} {
		pool := par.New(threads)
		o.Pool = pool
		if d := cmp.Diff(want, step(t, compile(t, g, o))); d != "" {
			t.Errorf("%d threads differ:\n%s", threads, d)
		}
		pool.Close()
	}
}

func TestSmallerBatch(t *testing.T) {
	g, _ := residual()
	e := compile(t, g, engine.Options{Batch: 5, Training: true})
	step(t, e)
	if err := e.SetBatch(2); err != nil {
		t.Fatal(err)
	}
	got := step(t, e)
	if d := cmp.Diff(step(t, compile(t, g, engine.Options{Batch: 2, Training: true})), got); d != "" {
		t.Errorf("2 of 5 differ from 2 of 2:\n%s", d)
	}
	if e.Output(0).Shape[0] != 2 || len(e.Input(0).Data) != 2*108 {
		t.Errorf("output %s, input %d", e.Output(0).Shape, len(e.Input(0).Data))
	}
	for _, n := range []int{0, 6} {
		if err := e.SetBatch(n); err == nil {
			t.Errorf("batch %d was accepted", n)
		}
	}
}

// A tensor, a view of it and a tensor computed from it are all outputs: their gradients meet.
func TestOutputsThatShareMemory(t *testing.T) {
	b := newBuilder()
	p := b.param("p", 2, 3)
	v := b.node("v", &ops.Sigmoid{}, p)
	id := b.node("id", &ops.Identity{}, v)
	twice := b.node("twice", ops.NewAdd(), v, v)
	b.g.Outputs = []*engine.Value{v, id, twice, p}
	e := compile(t, b.g, engine.Options{Batch: 1, Training: true})
	if err := e.Forward(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := make([]float64, 6)
	for i, y := range e.Output(0).Data {
		want[i] = float64(y)*(1-float64(y))*(1+10+2*100) + 1000
	}
	for k, g := range []float32{1, 10, 100, 1000} {
		d := e.OutputGrad(k).Data
		for i := range d {
			d[i] = g
		}
	}
	if err := e.Backward(context.Background()); err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "gradient", p.Param.Grad, want, 1e-6)
}

func TestKeepAndPruning(t *testing.T) {
	g, a := residual()
	e := compile(t, g, engine.Options{Batch: 2, Keep: []*engine.Value{a}})
	e.SetTraining(true)
	x := e.Input(0).Data
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	if err := e.Forward(context.Background()); err != nil {
		t.Fatal(err)
	}
	kept := e.Value(a)
	if len(kept.Data) != 2*4*36 || kept.Data[5] <= 0 || kept.Data[5] >= 1 {
		t.Errorf("kept value has %d elements", len(kept.Data))
	}
	if v := e.Value(g.Nodes[0].Outputs[0]); v.Data != nil {
		t.Error("a value that was not kept is readable")
	}
	train := compile(t, g, engine.Options{Batch: 2, Training: true})
	if e.ArenaBytes() >= train.ArenaBytes() {
		t.Errorf("inference takes %d bytes, training %d", e.ArenaBytes(), train.ArenaBytes())
	}
	if err := e.Backward(context.Background()); err == nil {
		t.Error("backward ran without training")
	}
}

func TestNoAllocations(t *testing.T) {
	b := newBuilder()
	x := b.input(-1, 8, 16, 16)
	h := b.node("h", &ops.Sigmoid{}, b.node("m", ops.NewAdd(), x, b.param("p", 8, 1, 1)))
	s := b.node("s", ops.NewAdd(), h, b.node("r", &ops.Relu{}, h))
	b.g.Outputs = []*engine.Value{b.node("f", &ops.Flatten{Axis: 1}, s)}
	pool := par.New(2)
	defer pool.Close()
	e := compile(t, b.g, engine.Options{Batch: 16, Training: true, Pool: pool})
	ctx := context.Background()
	n := testing.AllocsPerRun(20, func() {
		e.ZeroGrad()
		if err := e.Forward(ctx); err != nil {
			t.Fatal(err)
		}
		if err := e.Backward(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("a step allocates %g times", n)
	}
}

// countdown is a context that ends after some looks at it.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestRunErrors(t *testing.T) {
	g, _ := residual()
	e := compile(t, g, engine.Options{Batch: 2, Training: true})
	if err := e.Forward(&countdown{context.Background(), 3}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled forward gives %v", err)
	}
	if err := e.Backward(context.Background()); err == nil {
		t.Error("backward ran after a cancelled forward")
	}
	step(t, e)
	if err := e.Backward(context.Background()); err == nil {
		t.Error("a second backward ran")
	}
}

func TestCompileErrors(t *testing.T) {
	good, _ := residual()
	swapped, _ := residual()
	swapped.Nodes[0], swapped.Nodes[1] = swapped.Nodes[1], swapped.Nodes[0]
	open := newBuilder()
	open.g.Outputs = []*engine.Value{open.node("y", &ops.Relu{}, open.input(-1, -1))}
	huge := newBuilder()
	huge.g.Outputs = []*engine.Value{huge.node("y", &ops.Relu{}, huge.input(-1, 1<<20, 1<<17))}
	tests := []struct {
		name string
		g    *engine.Graph
		o    engine.Options
	}{
		{"half a terabyte", huge.g, engine.Options{Batch: 1}},
		{"more than the limit", good, engine.Options{Batch: 1, MaxBytes: 64}},
		{"batch", good, engine.Options{}},
		{"outputs", &engine.Graph{}, engine.Options{Batch: 1}},
		{"order", swapped, engine.Options{Batch: 1}},
		{"open dimension", open.g, engine.Options{Batch: 1}},
		{"unknown kept value", good, engine.Options{Batch: 1, Keep: []*engine.Value{{Name: "other"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := engine.Compile(tt.g, tt.o); err == nil {
				t.Error("compiled")
			}
		})
	}
}
