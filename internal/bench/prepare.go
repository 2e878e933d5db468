package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// calibrationSamples is the number of samples for step sizes and statistics to train from. It is small, so that the
// peak of memory is that of training.
const calibrationSamples = 8

// network loads a model and prepares it for training as compress does: norms behind all layers, quantizers of the
// default widths, calibrated step sizes. x returns samples of the given shape.
func network(ctx context.Context, path string, x func(shape tensor.Shape) []float32, pool *par.Pool) (*fakequant.Network, error) {
	m, err := onnx.Load(path)
	if err == nil {
		err = pass.Normalise(m)
	}
	if err == nil {
		err = shape.Infer(m.Graph)
	}
	if err != nil {
		return nil, err
	}
	options := quantize.PlanOptions{Streams: true, Outputs: true}
	plan, err := quantize.NewPlan(m, options)
	if err != nil {
		return nil, err
	}
	in := m.Graph.Inputs()
	if len(in) != 1 {
		return nil, fmt.Errorf("it has %d inputs, one is supported", len(in))
	}
	dims, known := in[0].Shape()
	one := dims.WithBatch(1).Numel()
	if !known || one < 1 {
		return nil, fmt.Errorf("its input %q has unknown shape %s", in[0].Name(), dims)
	}
	samples := x(dims)
	n := min(calibrationSamples, len(samples)/one)
	source := func(_ context.Context, yield func([]float32, int) error) error { return yield(samples[:n*one], n) }
	st, err := calibrate.Collect(ctx, m, plan, source, calibrate.Options{Batch: n, Pool: pool})
	if err == nil {
		err = calibrate.Norms(m, plan, st)
	}
	if err == nil {
		err = shape.Infer(m.Graph)
	}
	if err != nil {
		return nil, err
	}
	if plan, err = quantize.NewPlan(m, options); err != nil {
		return nil, err
	}
	start, err := calibrate.Supernet(m, plan, st, pool)
	if err != nil {
		return nil, err
	}
	g, err := decode.Decode(m)
	if err != nil {
		return nil, err
	}
	net, err := fakequant.Rewrite(g, plan, fakequant.Options{BiasRounding: true})
	if err != nil {
		return nil, err
	}
	err = net.Load(start)
	debug.FreeOSMemory() // what calibration took
	return net, err
}

// noise returns n normally distributed numbers.
func noise(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
