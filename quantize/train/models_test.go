package train

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// calibrated is a model ready to train: its norms inserted, its plan, and the supernet to start from.
type calibrated struct {
	model *onnx.Model
	plan  *quantize.Plan
	start *quantize.Supernet
	x     []float32 // the samples it was calibrated with
	label []int32
	n     int
}

func newCalibrated(t testing.TB, file string, samples int) *calibrated {
	t.Helper()
	m, err := onnx.Load(testkit.Shared(t, file))
	if err == nil {
		err = pass.Normalise(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &calibrated{model: m, n: samples}
	c.x, c.label = cifar(t, m, dataset.Train, samples)
	c.calibrate(t, quantize.PlanOptions{Streams: true})
	return c
}

// calibrate makes plan and supernet of the model from the samples.
func (c *calibrated) calibrate(t testing.TB, o quantize.PlanOptions) {
	t.Helper()
	m, samples := c.model, c.n
	var err error
	if c.plan, err = quantize.NewPlan(m, o); err != nil {
		t.Fatal(err)
	}
	pool := par.New(2)
	defer pool.Close()
	source := func(_ context.Context, yield func([]float32, int) error) error { return yield(c.x, samples) }
	st, err := calibrate.Collect(t.Context(), m, c.plan, source, calibrate.Options{Batch: samples, Pool: pool})
	if err == nil {
		err = calibrate.Norms(m, c.plan, st)
	}
	if err == nil {
		err = shape.Infer(m.Graph)
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.plan, err = quantize.NewPlan(m, o); err != nil {
		t.Fatal(err)
	}
	if c.start, err = calibrate.Supernet(m, c.plan, st, pool); err != nil {
		t.Fatal(err)
	}
}

// network is a fresh network at the start.
func (c *calibrated) network(t testing.TB) *fakequant.Network {
	t.Helper()
	return c.rewritten(t, fakequant.Options{BiasRounding: true})
}

func (c *calibrated) rewritten(t testing.TB, o fakequant.Options) *fakequant.Network {
	t.Helper()
	g, err := decode.Decode(c.model)
	if err != nil {
		t.Fatal(err)
	}
	net, err := fakequant.Rewrite(g, c.plan, o)
	if err == nil {
		err = net.Load(c.start)
	}
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// cifar draws samples of a split with their labels.
func cifar(t testing.TB, m *onnx.Model, split string, n int) (x []float32, labels []int32) {
	t.Helper()
	prep, err := models.NewPreprocessing(m, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := dataset.Open(testkit.Shared(t, "data/cifar10-jpeg.zip"), dataset.Options{Preprocessing: prep, Split: split, Holdout: 0.2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	indices := rand.New(rand.NewPCG(1, 1)).Perm(s.Len())[:n]
	x, labels = make([]float32, n*s.Shape().Numel()), make([]int32, n)
	if err := s.Batch(t.Context(), indices, x, labels); err != nil {
		t.Fatal(err)
	}
	return x, labels
}
