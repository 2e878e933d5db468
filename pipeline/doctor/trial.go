package doctor

import (
	"context"
	"slices"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/delivery"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/integer"
)

// trial is the beginning of a compress without workspace: it does to a model what stages would do, and writes nothing.
type trial struct {
	o          pipeline.Options
	env        *stage.Env
	network    *network.Network
	calibrated *calibration.Calibrated
}

// newTrial tries out a normalised model without its tail, for the first profile of options with defaults. The partition
// is nil where the model could not be taken apart.
func newTrial(o pipeline.Options, m *onnx.Model, parts *partition.Partition, pool *par.Pool) *trial {
	p := export.Named(o.Profiles[0])
	o.Int8, o.ZeroPoints, o.ConvOutputs, o.Reserved = p.Int8, p.ZeroPoints, p.ConvOutputs, true
	env := &stage.Env{
		Workspace: &workspace.Workspace{ReadOnly: true}, Events: o.Events, Pool: pool, Machine: o.MachineOptions, Seed: *o.Seed, Seconds: &record.Seconds{},
	}
	return &trial{o: o, env: env, network: network.Apart(m, parts, o.ModelOptions, o.WidthOptions)}
}

// scores reports whether an output of the model is a row of class scores.
func (t *trial) scores() bool {
	list, err := t.network.Outputs(0)
	return err == nil && list.Labelled(0) >= 0
}

// plan plans the model, and says how import shows that.
func (t *trial) plan() (*quantize.Plan, *record.ImportResult, error) {
	err := t.network.MakePlan()
	if err == nil {
		err = network.Check(t.network.Plan)
	}
	if err != nil {
		return nil, nil, err
	}
	r := t.network.Describe()
	return t.network.Plan, &r, nil
}

// samples opens the data, makes an input of the first sample and counts those of training.
func (t *trial) samples(ctx context.Context, unlabelled bool) (int, error) {
	o := t.o
	o.NoLabels = &unlabelled
	p, err := openSamples(t.env, t.network, o)
	if err != nil {
		return 0, err
	}
	defer func() { _ = p.Close() }() // only read
	return p.Train.Len(), p.Each(ctx, p.Train, []int{0}, 1, func(samples.Batch) error { return nil })
}

// openSamples opens the data of options for a network.
func openSamples(e *stage.Env, n *network.Network, o options.Options) (*samples.Samples, error) {
	if _, err := samples.Locate(o.Data); err != nil {
		return nil, err
	}
	if err := network.CheckKinds(n.Kinds, n.Core); err != nil {
		return nil, err
	}
	return samples.Open(e, samples.Model{Model: n.Core, Kinds: n.Kinds, Features: n.Partition.HoldsLayers()}, o.ModelOptions, o.DataOptions)
}

// calibrate brings a planned model to where training starts, as the calibration stage does up to the order and scales
// of channels. It works on n inputs that are no samples, and with the outermost widths alone: those between cost a
// search each and change neither time nor memory of training.
func (t *trial) calibrate(ctx context.Context, x []float32, n int) error {
	net := *t.network
	if w := net.Widths.WeightBits; len(w) > 2 {
		net.Widths.WeightBits = []int{slices.Min(w), slices.Max(w)}
	}
	source := func(_ context.Context, yield func([]float32, int) error) error { return yield(x, n) }
	st, err := calibrate.Collect(ctx, net.Core, net.Plan, source, calibrate.Options{Batch: n, Pool: t.env.Pool})
	if err != nil {
		return err
	}
	c, err := calibration.WithNorms(&net, st)
	if err != nil {
		return err
	}
	t.calibrated = c
	c.Start, err = calibrate.Supernet(c.Model, c.Plan, st, t.env.Pool)
	return err
}

// trainable is the calibrated model as it is trained.
func (t *trial) trainable() (*fakequant.Network, error) {
	return t.calibrated.Loaded(t.calibrated.Plan, t.calibrated.Start)
}

// simulation is what the widest policy would be verified against.
func (t *trial) simulation() (*integer.Network, error) {
	s, err := t.widest()
	if err != nil {
		return nil, err
	}
	sup := &supernet.Supernet{Calibrated: t.calibrated, Arrays: s}
	return delivery.Simulation(sup, s, t.calibrated.Plan.Max(), export.Named(t.o.Profiles[0]))
}

// export makes the file of the widest policy.
func (t *trial) export() (*onnx.Model, error) {
	s, err := t.widest()
	if err != nil {
		return nil, err
	}
	c := t.calibrated
	return export.Export(c.Model, c.Plan, s, c.Plan.Max(), export.Options{Profile: t.o.Profiles[0], Tail: t.network.Partition.Tail()})
}

// widest is the supernet as the file of the widest policy holds it.
func (t *trial) widest() (*quantize.Supernet, error) {
	c := t.calibrated
	s, _, err := export.Named(t.o.Profiles[0]).Supernet(c.Plan, c.Start, c.Plan.Max())
	return s, err
}
