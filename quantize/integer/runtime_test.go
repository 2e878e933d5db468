package integer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// nearTie scales base by a simple ratio and often moves it by one ulp: results then lie at halves or a rounding error
// beside them, where only the very expression that the runtime computes gives its codes.
func nearTie(rng *rand.Rand, base, ratio float32) float32 {
	s := base * ratio
	switch rng.IntN(3) {
	case 0:
		return math.Nextafter32(s, 0)
	case 1:
		return math.Nextafter32(s, 9)
	default:
		return s
	}
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// pinned is one operator between quantizers.
type pinned struct {
	op     string
	attrs  []onnx.Attr
	in     []tensor.Shape
	out    tensor.Shape
	grids  []quantize.Grid // of the inputs, then of the output
	inputs [][]uint8
}

// runtime computes it in onnxruntime, optimised, and checks that the fused operator is in place.
func (p pinned) runtime(t *testing.T) ([]uint8, *onnx.Node) {
	t.Helper()
	m := onnx.New(17)
	g := m.Graph
	ok := func(v *onnx.Value, err error) *onnx.Value {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	add := func(op string, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
		n, err := g.AddNode(onnx.NodeSpec{Op: op, Inputs: in, Outputs: []string{g.FreshName("v")}, Attrs: attrs}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n.Output(0)
	}
	feeds := map[string]*tensor.Tensor{}
	params := func(i int) (scale, zero *onnx.Value) {
		return ok(g.AddInitializer(g.FreshName("s"), tensor.Scalar(p.grids[i].Scale))), ok(g.AddInitializer(g.FreshName("z"), tensor.Scalar(p.grids[i].Zero)))
	}
	var operands []*onnx.Value
	for i, shape := range p.in {
		x := ok(g.AddInput(g.FreshName("x"), tensor.Uint8, shape))
		feeds[x.Name()] = tensor.From(shape, p.inputs[i])
		s, z := params(i)
		operands = append(operands, add("DequantizeLinear", []*onnx.Value{x, s, z}))
	}
	y := add(p.op, operands, p.attrs...)
	node := y.Producer()
	s, z := params(len(p.in))
	out := add("QuantizeLinear", []*onnx.Value{y, s, z})
	out.SetType(tensor.Uint8, p.out)
	if err := g.AddOutput(out); err != nil {
		t.Fatal(err)
	}
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(data, ort.Options{Optimize: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	got, err := session.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := tensor.Values[uint8](got[out.Name()])
	if err != nil {
		t.Fatal(err)
	}
	return codes, node
}

func (p pinned) reference(t *testing.T, n *onnx.Node, compile func(*onnx.Node, []coded, coded) (step, bool)) []uint8 {
	t.Helper()
	w := &worker{}
	var in []coded
	for i, shape := range p.in {
		in = append(in, coded{slot: i, grid: p.grids[i], shape: shape})
		w.codes = append(w.codes, p.inputs[i])
	}
	to := coded{slot: len(in), grid: p.grids[len(in)], shape: p.out}
	w.codes = append(w.codes, make([]uint8, p.out.Numel()))
	s, ok := compile(n, in, to)
	if !ok {
		t.Fatalf("%s was not compiled", p.op)
	}
	s(w)
	return w.codes[to.slot]
}

func randomCodes(rng *rand.Rand, n int) []uint8 {
	x := make([]uint8, n)
	for i := range x {
		x[i] = uint8(rng.IntN(256))
	}
	return x
}

func container(scale float32, zero uint8) quantize.Grid {
	return quantize.Grid{Scale: scale, Zero: zero, Hi: 255}
}

// TestArithmetic pins the expressions of the QLinear kernels to the onnxruntime at hand.
func TestArithmetic(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	tests := []struct {
		name    string
		compile func(*onnx.Node, []coded, coded) (step, bool)
		draw    func(rng *rand.Rand) pinned
	}{
		{"Add", addStep, func(rng *rand.Rand) pinned {
			sc := rng.Float32()*0.1 + 0.005
			ratios := []float32{0.5, 0.25, 0.75, 0.125, 0.3, 0.7}
			return elementwise("Add", rng, nearTie(rng, sc, pick(rng, ratios...)), nearTie(rng, sc, pick(rng, ratios...)), sc)
		}},
		{"Mul", mulStep, func(rng *rand.Rand) pinned {
			sa, sb := rng.Float32()*0.1+0.005, rng.Float32()*0.1+0.005
			return elementwise("Mul", rng, sa, sb, nearTie(rng, sa*sb, pick[float32](rng, 16, 32, 64, 128, 40, 80, 96, 160)))
		}},
		{"LeakyRelu", leakyStep, func(rng *rand.Rand) pinned {
			sc := rng.Float32()*0.1 + 0.005
			p := elementwise("LeakyRelu", rng, nearTie(rng, sc, pick[float32](rng, 0.5, 1.5, 2.5, 0.3)), sc, sc)
			p.in, p.inputs, p.grids = p.in[:1], p.inputs[:1], []quantize.Grid{p.grids[0], p.grids[2]}
			p.grids[1].Zero = pick[uint8](rng, 0, 3, 25, 128)
			p.attrs = []onnx.Attr{onnx.FloatAttr("alpha", pick[float32](rng, 0.01, 0.1, 0.2, 0.5, 1))}
			return p
		}},
		{"Concat", concatStep, func(rng *rand.Rand) pinned {
			sc := rng.Float32()*0.1 + 0.005
			p := elementwise("Concat", rng, nearTie(rng, sc, pick[float32](rng, 0.5, 1.5, 2.5)), sc, sc)
			p.attrs = []onnx.Attr{onnx.IntAttr("axis", 1)}
			p.out[1] *= 2
			return p
		}},
		{"GlobalAveragePool", poolStep, func(rng *rand.Rand) pinned {
			p, area := pooled("GlobalAveragePool", rng, 1+rng.IntN(12), 1+rng.IntN(12))
			p.out = tensor.Shape{p.in[0][0], p.in[0][1], 1, 1}
			p.grids[1].Scale = nearTie(rng, p.grids[0].Scale, pick(rng, 0.5, 1, 0.25, 2/area*float32(1+rng.IntN(60))))
			return p
		}},
		{"AveragePool of the plane", poolStep, func(rng *rand.Rand) pinned { return window2D(rng, 1, 0) }},
		{"AveragePool", poolStep, func(rng *rand.Rand) pinned { return window2D(rng, 2, 0) }},
		{"AveragePool with padding", poolStep, func(rng *rand.Rand) pinned { return window2D(rng, 3, 1) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(4, 2))
			for range 150 {
				p := tt.draw(rng)
				want, n := p.runtime(t)
				got := p.reference(t, n, tt.compile)
				for i := range want {
					if want[i] != got[i] {
						t.Fatalf("grids %v: element %d is %d in onnxruntime, %d here", p.grids, i, want[i], got[i])
					}
				}
			}
		})
	}
}

func elementwise(op string, rng *rand.Rand, sa, sb, sc float32) pinned {
	shape := tensor.Shape{1, 1 + rng.IntN(40), 1 + rng.IntN(9), 7}
	zero := func() uint8 { return pick[uint8](rng, 0, 128) }
	return pinned{
		op: op, in: []tensor.Shape{shape, shape}, out: shape.Clone(),
		grids:  []quantize.Grid{container(sa, zero()), container(sb, zero()), container(sc, zero())},
		inputs: [][]uint8{randomCodes(rng, shape.Numel()), randomCodes(rng, shape.Numel())},
	}
}

func pooled(op string, rng *rand.Rand, h, w int) (pinned, float32) {
	shape := tensor.Shape{1, 1 + rng.IntN(70), h, w}
	zero := pick[uint8](rng, 0, 128)
	return pinned{
		op: op, in: []tensor.Shape{shape}, grids: []quantize.Grid{container(rng.Float32()*0.1+0.005, zero), container(1, zero)},
		inputs: [][]uint8{randomCodes(rng, shape.Numel())},
	}, float32(h * w)
}

// window2D is an AveragePool of count windows to a side.
func window2D(rng *rand.Rand, count, pad int) pinned {
	k := 2 + rng.IntN(6)
	size := k*count - 2*pad
	p, _ := pooled("AveragePool", rng, size, size)
	p.out = tensor.Shape{1, p.in[0][1], count, count}
	kk, pads := int64(k), int64(pad)
	p.attrs = []onnx.Attr{
		onnx.IntsAttr("kernel_shape", []int64{kk, kk}), onnx.IntsAttr("strides", []int64{kk, kk}),
		onnx.IntsAttr("pads", []int64{pads, pads, pads, pads}), onnx.IntAttr("count_include_pad", int64(rng.IntN(2))),
	}
	p.grids[1].Scale = nearTie(rng, p.grids[0].Scale, pick(rng, 0.5, 1, 0.25, 2/float32(k*k)*float32(1+rng.IntN(60))))
	return p
}

// TestConvert pins requantization: DequantizeLinear, a LeakyRelu of slope 1 that runtimes fuse to a table,
// QuantizeLinear.
func TestConvert(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	rng := rand.New(rand.NewPCG(9, 2))
	for range 60 {
		zero := pick[uint8](rng, 0, 128)
		from := container(rng.Float32()*0.1+0.005, zero)
		to := container(nearTie(rng, from.Scale, pick[float32](rng, 2, 4, 6, 10, 12, 14)), zero)
		all := make([]uint8, 256)
		for i := range all {
			all[i] = uint8(i)
		}
		p := pinned{op: "LeakyRelu", attrs: []onnx.Attr{onnx.FloatAttr("alpha", 1)}, in: []tensor.Shape{{256}}, out: tensor.Shape{256}, grids: []quantize.Grid{from, to}, inputs: [][]uint8{all}}
		want, _ := p.runtime(t)
		if got := from.Convert(to); !slices.Equal(got[:], want) {
			t.Fatalf("%v to %v: %v, onnxruntime %v", from, to, got, want)
		}
	}
}
