package decode_test

import (
	"context"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
)

// BenchmarkStep is one forward and backward of a float network at batch 64.
func BenchmarkStep(b *testing.B) {
	_, g := decoded(b, testkit.Shared(b, "models/resnet20-cifar10-bn.onnx"))
	pool := par.New(0)
	defer pool.Close()
	e, err := engine.Compile(g, engine.Options{Batch: 64, Training: true, Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	pattern(e.Input(0).Data)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		e.ZeroGrad()
		if err := e.Forward(ctx); err != nil {
			b.Fatal(err)
		}
		if err := e.Backward(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(e.ArenaBytes())/1e6, "arena_MB")
}
