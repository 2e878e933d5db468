package pipeline

import (
	"context"
	"slices"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/network/division"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/integer"
)

// TrainingCopies is how many copies of a model's weights a training holds, apart from the buffers of its plan.
const TrainingCopies = 4 + copiesOfWeights

// Trial is the beginning of a compress without workspace: it does to a model what stages would do, and writes nothing.
type Trial struct{ job *job }

// NewTrial tries out a normalised model without its tail, for the first profile of options with defaults. The
// division is nil where the model could not be taken apart.
func NewTrial(o Options, m *onnx.Model, parts *division.Division, pool *par.Pool) *Trial {
	j := &job{o: o, stated: o, pool: pool, float: m, parts: parts, measuring: true}
	p := export.Named(o.Profiles[0])
	j.o.Int8, j.o.ZeroPoints, j.o.Outputs = p.Int8, p.ZeroPoints, p.ConvOutputs
	j.o.Reserved = true
	return &Trial{j}
}

// Scores reports whether an output of the model is a row of class scores.
func (t *Trial) Scores() bool {
	list, known := metric.OutputsOf(t.job.float, t.job.kinds())
	return known && list.Labelled(0) >= 0
}

// Plan says what would be quantized, and how import shows that.
func (t *Trial) Plan() (*quantize.Plan, *ImportResult, error) {
	plan, err := quantize.NewPlan(t.job.float, t.job.planOptions())
	if err == nil {
		err = checkPlan(plan)
	}
	if err != nil {
		return nil, nil, err
	}
	t.job.floatPlan = plan
	r := t.job.describe()
	return plan, &r, nil
}

// Pictures opens the data, makes an input of the first picture and counts those of training.
func (t *Trial) Pictures(ctx context.Context, unlabelled bool) (int, error) {
	j := *t.job // what this opens and finds is not the trial's
	j.o.NoLabels = &unlabelled
	if err := j.openData(); err != nil {
		return 0, err
	}
	p := j.data
	defer func() { _ = p.Close() }() // only read
	return p.Train.Len(), p.Each(ctx, p.Train, []int{0}, 1, func(pictures.Batch) error { return nil })
}

// Calibrate brings a planned model to where training starts, as the calibration stage does up to the order and scales of channels, but on n inputs that are no pictures
// and with the outermost widths alone: those between cost a search each and change neither time nor memory of training.
func (t *Trial) Calibrate(ctx context.Context, x []float32, n int) error {
	j := t.job
	if w := j.o.WeightBits; len(w) > 2 {
		j.o.WeightBits = []int{slices.Min(w), slices.Max(w)}
	}
	source := func(_ context.Context, yield func([]float32, int) error) error { return yield(x, n) }
	st, err := calibrate.Collect(ctx, j.float, j.floatPlan, source, calibrate.Options{Batch: n, Pool: j.pool})
	if err != nil {
		return err
	}
	if err := j.insertNorms(st); err != nil {
		return err
	}
	j.supernet, err = calibrate.Supernet(j.model, j.plan, st, j.pool)
	return err
}

// Network is the calibrated model as it is trained.
func (t *Trial) Network() (*fakequant.Network, error) { return t.job.trainable() }

// TrainingMB is the memory that training it takes with so many pictures a step, in MB of 1e6 bytes.
func (t *Trial) TrainingMB(net *fakequant.Network, batch int) (float64, error) {
	return planned(net, batch, t.job)
}

// Simulation is what the widest path would be verified against.
func (t *Trial) Simulation() (*integer.Network, error) {
	s, err := t.widest()
	if err != nil {
		return nil, err
	}
	return t.job.network(s, t.job.plan.Max(), export.Named(t.job.o.Profiles[0]))
}

// Export makes the file of the widest path.
func (t *Trial) Export() (*onnx.Model, error) {
	s, err := t.widest()
	if err != nil {
		return nil, err
	}
	j := t.job
	return export.Export(j.model, j.plan, s, j.plan.Max(), export.Options{Profile: j.o.Profiles[0], Tail: j.parts.Tail()})
}

// widest is the supernet as the file of the widest path holds it.
func (t *Trial) widest() (*quantize.Supernet, error) {
	s, _, err := export.Named(t.job.o.Profiles[0]).Supernet(t.job.plan, t.job.supernet, t.job.plan.Max())
	return s, err
}
