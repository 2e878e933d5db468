package rounding_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/rounding"
	"github.com/mpqc/mpqc/quantize/train"
)

const (
	channels = 12
	size     = 6
	batch    = 16
)

// builder makes a network node by node.
type builder struct {
	t   *testing.T
	g   *onnx.Graph
	rng *rand.Rand
}

func (b *builder) weights(name string, shape ...int) *onnx.Value {
	b.t.Helper()
	data := make([]float32, tensor.Shape(shape).Numel())
	for i := range data {
		data[i] = float32(b.rng.NormFloat64())
	}
	v, err := b.g.AddInitializer(name, tensor.From(tensor.Shape(shape), data))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *builder) node(name, op string, attrs []onnx.Attr, in ...*onnx.Value) *onnx.Value {
	b.t.Helper()
	return sample.NodeWith(b.t, b.g, name, op, attrs, in...)
}

// network has every kind of layer between its first and its last: a convolution, one in groups with strides, a
// depthwise one, and matrices stored both ways.
func network(t *testing.T) *fakequant.Network {
	t.Helper()
	m := onnx.New(17)
	b := &builder{t, m.Graph, rand.New(rand.NewPCG(1, 2))}
	x, err := m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, channels, size, size})
	if err != nil {
		t.Fatal(err)
	}
	pads := onnx.IntsAttr("pads", []int64{1, 1, 1, 1})
	v := b.node("first", "Conv", nil, x, b.weights("first.w", channels, channels, 1, 1))
	v = b.node("conv", "Conv", []onnx.Attr{pads}, v, b.weights("conv.w", channels, channels, 3, 3))
	v = b.node("depthwise", "Conv", []onnx.Attr{pads, onnx.IntAttr("group", channels)}, v, b.weights("depthwise.w", channels, 1, 3, 3))
	v = b.node("grouped", "Conv", []onnx.Attr{pads, onnx.IntAttr("group", 3), onnx.IntsAttr("strides", []int64{2, 2})}, v,
		b.weights("grouped.w", channels, channels/3, 3, 3))
	v = b.node("flat", "Flatten", nil, v)
	v = b.node("rows", "Gemm", []onnx.Attr{onnx.IntAttr("transB", 1)}, v, b.weights("rows.w", 24, 9*channels))
	v = b.node("product", "MatMul", nil, v, b.weights("product.w", 24, 20))
	v = b.node("last", "Gemm", nil, v, b.weights("last.w", 20, 5))
	if err := m.Graph.AddOutput(v); err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	plan, err := quantize.NewPlan(m, quantize.PlanOptions{WeightBits: []int{2, 3, 8}, ActivationBits: []int{8}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := decode.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	net, err := fakequant.Rewrite(g, plan, fakequant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// samples have channels that share most of what they show.
func samples(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	x := make([]float32, n*channels*size*size)
	for i := range n {
		for p := range size * size {
			common := rng.NormFloat64()
			for c := range channels {
				x[(i*channels+c)*size*size+p] = float32(common + rng.NormFloat64()/3)
			}
		}
	}
	return x
}

func source(_ context.Context, yield func([]float32, int) error) error {
	for i := range uint64(8) {
		if err := yield(samples(i, batch), batch); err != nil {
			return err
		}
	}
	return nil
}

// outputs are those of all layers, on samples that rounding has not seen, each with the input that the widest path
// gives it: the layers in front keep their eight bits.
func outputs(t *testing.T, net *fakequant.Network, layer, bits int) []float32 {
	t.Helper()
	q := net.Plan.Max()
	if layer >= 0 {
		q.W[layer] = bits
	}
	if err := net.Select(q); err != nil {
		t.Fatal(err)
	}
	var keep *engine.Value
	for _, n := range net.Graph.Nodes {
		if n.Name == net.Plan.Layers[max(layer, 0)].Node {
			keep = n.Outputs[0]
		}
	}
	exec, err := engine.Compile(net.Graph, engine.Options{Batch: batch, Keep: []*engine.Value{keep}})
	if err != nil {
		t.Fatal(err)
	}
	exec.SetTraining(false)
	copy(exec.Input(0).Data, samples(99, batch))
	if err := exec.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(exec.Value(keep).Data)
}

// TestCodes: on samples that rounding has not seen, every layer's output is nearer to that of its weights than with
// the nearest codes. Results do not depend on threads.
func TestCodes(t *testing.T) {
	net := network(t)
	start := net.Supernet()
	var all []*quantize.Supernet
	for _, threads := range []int{1, 2} {
		pool := par.New(threads)
		var seen, rounded []int
		codes, err := rounding.Codes(t.Context(), net, source, rounding.Options{
			Batch: batch, Pool: pool, Seen: func(n int) { seen = append(seen, n) }, Rounded: func(n, _ int) { rounded = append(rounded, n) },
		})
		pool.Close()
		if len(seen) != 8 || seen[7] != 8*batch || len(rounded) != len(net.Plan.Layers)+1 || rounded[0] != 0 || !slices.IsSorted(rounded) {
			t.Errorf("told of samples %v, of layers %v", seen, rounded)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, codes)
	}
	if d := cmp.Diff(all[0], all[1]); d != "" {
		t.Errorf("other codes with two threads: %s", d)
	}
	arrays := 0
	for i, l := range net.Plan.Layers {
		if l.Fixed {
			continue
		}
		for _, bits := range l.Candidates[:len(l.Candidates)-1] {
			arrays++
			if err := net.Load(start); err != nil {
				t.Fatal(err)
			}
			want, nearest := outputs(t, net, i, 8), outputs(t, net, i, bits)
			if err := net.Load(start.Over(all[0])); err != nil {
				t.Fatal(err)
			}
			chosen := outputs(t, net, i, bits)
			a, b := apart(nearest, want), apart(chosen, want)
			t.Logf("%s at %d bits: squared error %.4g nearest, %.4g chosen", l.Node, bits, a, b)
			if b > 0.9*a {
				t.Errorf("%s at %d bits: squared error %.4g, with the nearest codes %.4g", l.Node, bits, b, a)
			}
		}
	}
	// Codes have steps. A depthwise layer has no two bits, and its eight are never limited; those of the first and the
	// last may be.
	if len(all[0].Arrays) != 2*(arrays+len(net.Plan.Layers)-1) || arrays != 9 {
		t.Errorf("%d arrays at %d widths", len(all[0].Arrays), arrays)
	}
	for _, l := range net.Plan.Layers {
		for _, order := range []quantize.Pairing{quantize.PairedFlat, quantize.PairedEither} {
			a, ok := all[0].Arrays[quantize.LimitedName(&l, order)]
			if ok == l.Depthwise || ok && slices.Max(quantize.WorstPairs(a.Codes, l.Shape, l.Axis, order)) > quantize.PairLimit {
				t.Errorf("%s: codes of 8 bits: %t, or they can saturate", l.Node, ok)
			}
		}
	}
}

// TestTrained: codes of weights that were trained are those of what the widest path makes of them, rounded and cut off
// where its codes end.
func TestTrained(t *testing.T) {
	net := network(t)
	start := net.Supernet()
	rounded := &quantize.Supernet{Arrays: maps.Clone(start.Arrays), EPS: start.EPS}
	for _, l := range net.Plan.Layers {
		w, step, inner := start.Arrays[quantize.WeightName(l.Node)], start.Arrays[quantize.WeightStepName(l.Node, 8)].Data, l.Shape[l.Axis+1:].Numel()
		w.Data[0] = 200 * step[0]
		codes := slices.Clone(w.Data)
		for i, v := range codes {
			by := step[i/inner%l.OutChannels]
			codes[i] = by * min(max(float32(math.RoundToEven(float64(v/by))), -128), 127)
		}
		rounded.Arrays[quantize.WeightName(l.Node)] = quantize.Array{Shape: w.Shape, Data: codes}
	}
	choose := func(s *quantize.Supernet, trained bool) *quantize.Supernet {
		if err := net.Load(s); err != nil {
			t.Fatal(err)
		}
		codes, err := rounding.Codes(t.Context(), net, source, rounding.Options{Batch: batch, Trained: trained})
		if err != nil {
			t.Fatal(err)
		}
		return codes
	}
	trained := choose(start, true)
	if d := cmp.Diff(choose(rounded, false), trained); d != "" {
		t.Errorf("codes of the weights that the widest path has, and of trained ones, differ: %s", d)
	}
	if cmp.Equal(choose(start, false), trained) {
		t.Error("that weights were trained makes no difference")
	}
}

func apart(x, y []float32) (sum float64) {
	for i := range x {
		d := float64(x[i] - y[i])
		sum += d * d
	}
	return sum
}

// TestCodesEnd: rounding ends with its context.
func TestCodesEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	most := 0
	_, err := rounding.Codes(ctx, network(t), source, rounding.Options{Batch: batch, Rounded: func(layers, _ int) {
		most = layers
		cancel()
	}})
	if !errors.Is(err, context.Canceled) || most != 0 {
		t.Errorf("error %v after %d layers", err, most)
	}
}

// TestCodesErrors: what the source says comes back, samples of another size or none at all are errors, and an end is
// an end.
func TestCodesErrors(t *testing.T) {
	net, broken := network(t), errors.New("broken sample")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, want string
		ctx        context.Context
		source     train.Batches
	}{
		{"source", broken.Error(), t.Context(), func(context.Context, func([]float32, int) error) error { return broken }},
		{"none", "no samples", t.Context(), func(context.Context, func([]float32, int) error) error { return nil }},
		{"size", "input elements", t.Context(), func(_ context.Context, yield func([]float32, int) error) error { return yield(make([]float32, 5), 1) }},
		{"batch", "batch", t.Context(), func(_ context.Context, yield func([]float32, int) error) error {
			return yield(samples(1, batch+1), batch+1)
		}},
		{"canceled", context.Canceled.Error(), ended, source},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rounding.Codes(tt.ctx, net, tt.source, rounding.Options{Batch: batch})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
