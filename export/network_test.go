package export_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// network is a model with a calibrated, untrained supernet and the samples that tests compute.
type network struct {
	model    *onnx.Model
	plan     *quantize.Plan
	supernet *quantize.Supernet
	shape    tensor.Shape // of one sample
}

// load normalises and calibrates a model; norms asks for a BatchNorm behind every Conv, bits are the candidates.
func load(t testing.TB, file string, norms bool, bits ...int) network {
	t.Helper()
	return prepare(t, readModel(t, file), norms, bits...)
}

func readModel(t testing.TB, file string) *onnx.Model {
	t.Helper()
	m, err := onnx.Load(testkit.Shared(t, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func prepare(t testing.TB, m *onnx.Model, norms bool, bits ...int) network {
	t.Helper()
	return prepareFor(t, m, norms, export.ProfileORT, bits...)
}

// prepareFor calibrates with the plan of a profile.
func prepareFor(t testing.TB, m *onnx.Model, norms bool, profile string, bits ...int) network {
	t.Helper()
	return prepareWith(t, m, norms, quantize.PlanOptions{Streams: true, WeightBits: bits, ActivationBits: bits, Int8: export.Named(profile).Int8})
}

func prepareWith(t testing.TB, m *onnx.Model, norms bool, options quantize.PlanOptions) network {
	t.Helper()
	plan, err := quantize.NewPlan(m, options)
	if err != nil {
		t.Fatal(err)
	}
	shape, _ := m.Graph.Inputs()[0].Shape()
	n := network{model: m, plan: plan, shape: shape[1:]}
	pool := par.New(0)
	defer pool.Close()
	batch := min(8, 1+40_000/n.shape.Numel())
	source := func(_ context.Context, yield func(x []float32, n int) error) error {
		return yield(n.samples(batch, 1), batch)
	}
	st, err := calibrate.Collect(t.Context(), m, plan, source, calibrate.Options{Batch: batch, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if norms {
		if err := calibrate.Norms(m, plan, st); err != nil {
			t.Fatal(err)
		}
		if n.plan, err = quantize.NewPlan(m, options); err != nil {
			t.Fatal(err)
		}
	}
	if n.supernet, err = calibrate.Supernet(m, n.plan, st, pool); err != nil {
		t.Fatal(err)
	}
	return n
}

// samples are blocks of smooth random colour with some noise: unlike white noise they excite all layers.
func (n network) samples(count int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 11))
	planes, h, w := n.shape[0], n.shape[1], n.shape[2]
	x := make([]float32, 0, count*n.shape.Numel())
	for range count * planes {
		var grid [5][5]float64
		for i := range 25 {
			grid[i/5][i%5] = rng.NormFloat64() * 1.5
		}
		for i := range h * w {
			fy, fx := float64(i/w)*4/float64(h), float64(i%w)*4/float64(w)
			y, z := int(fy), int(fx)
			dy, dx := fy-float64(y), fx-float64(z)
			v := (grid[y][z]*(1-dx)+grid[y][z+1]*dx)*(1-dy) + (grid[y+1][z]*(1-dx)+grid[y+1][z+1]*dx)*dy
			x = append(x, float32(v+rng.NormFloat64()*0.2))
		}
	}
	return x
}

// mixed draws bits for every layer and tensor.
func mixed(p *quantize.Plan, seed uint64) quantize.Policy {
	rng := rand.New(rand.NewPCG(seed, 3))
	q := p.Max()
	for i := range p.Layers {
		if l := &p.Layers[i]; !l.Fixed {
			q.W[i] = l.Candidates[rng.IntN(len(l.Candidates))]
		}
	}
	for i := range p.Points {
		if x := &p.Points[i]; x.Searched() {
			q.A[i] = x.Candidates[rng.IntN(len(x.Candidates))]
		}
	}
	return q
}

func (n network) export(t testing.TB, q quantize.Policy) *onnx.Model {
	t.Helper()
	return n.exportAs(t, export.ProfileORT, q)
}

func (n network) exportAs(t testing.TB, profile string, q quantize.Policy) *onnx.Model {
	t.Helper()
	return n.exportWith(t, q, export.Options{Profile: profile})
}

func (n network) exportWith(t testing.TB, q quantize.Policy, o export.Options) *onnx.Model {
	t.Helper()
	m, err := export.Export(n.model, n.plan, n.held(t, o.Profile, q), q, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// held is the supernet as files of a profile hold a policy: where the program bounds pairs of weights, so do tests, or
// CPUs without VNNI would compute something else.
func (n network) held(t testing.TB, profile string, q quantize.Policy) *quantize.Supernet {
	t.Helper()
	s, _, err := export.Named(profile).Supernet(n.plan, n.supernet, q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compute runs an exported model in onnxruntime: logits of the file as it is, codes of a copy that gives them out.
func (n network) compute(t testing.TB, m *onnx.Model, x []float32, optimize bool) comparison.Outputs {
	t.Helper()
	run := func(m *onnx.Model) map[string]*tensor.Tensor { return n.runAs(t, m, x, optimize) }
	out := comparison.Outputs{Codes: map[string][]uint8{}}
	plain := run(m)
	for i, v := range m.Graph.Outputs() {
		values, err := tensor.Floats(plain[v.Name()])
		if err != nil {
			t.Fatal(err)
		}
		if per := plain[v.Name()].Shape[1:].Numel(); i == 0 {
			out.Name, out.Logits, out.Classes = v.Name(), values, per
		} else {
			out.More = append(out.More, comparison.Output{Name: v.Name(), Values: values, Per: per})
		}
	}
	tapped, tensors, err := comparison.WithCodes(m)
	if err != nil {
		t.Fatal(err)
	}
	y := run(tapped)
	for _, b := range tensors {
		if out.Codes[b.Tensor], err = tensor.Values[uint8](y[b.Codes]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// run computes all outputs of a model in onnxruntime.
func (n network) run(t testing.TB, m *onnx.Model, x []float32) map[string]*tensor.Tensor {
	t.Helper()
	return n.runAs(t, m, x, true)
}

func (n network) runAs(t testing.TB, m *onnx.Model, x []float32, optimize bool) map[string]*tensor.Tensor {
	t.Helper()
	s, err := ort.Open(marshal(t, m), ort.Options{Optimize: optimize, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	shape := append(tensor.Shape{len(x) / n.shape.Numel()}, n.shape...)
	y, err := s.Run(t.Context(), map[string]*tensor.Tensor{m.Graph.Inputs()[0].Name(): tensor.From(shape, x)})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func marshal(t testing.TB, m *onnx.Model) []byte {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// requireRuntime ends a test where onnxruntime is missing.
func requireRuntime(t testing.TB) {
	t.Helper()
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
}
