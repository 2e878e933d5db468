package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/memory"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
	"github.com/mpqc/mpqc/quantize/train"
)

// TrainOptions of Train.
type TrainOptions struct {
	Batch   int // samples per step
	Paths   int // policies per step, the widest one included
	Threads int // 0: all cores
	Steps   int // to measure; 0: as many as fit into Time, at least minSteps
	Time    time.Duration
	// X and Labels are Batch samples to train on; nil for noise.
	X      []float32
	Labels []int32
}

// TrainResult is what `bench train --json` prints. Times are medians over steps.
type TrainResult struct {
	ImagesPerS float64 `json:"images_per_s"`
	MSPerStep  float64 `json:"ms_per_step"`
	// 2*MACs*3 per policy and sample: forward and two backward products
	GFLOPS         float64 `json:"gflops"`
	PeakGFLOPS     float64 `json:"peak_gflops"`
	FractionOfPeak float64 `json:"fraction_of_peak"`
	PeakRSSMB      float64 `json:"peak_rss_mb"` // 1 MB is 1e6 bytes; 0 if the system does not tell
	Threads        int     `json:"threads"`
	ISA            string  `json:"isa"`
	MACsPerImage   int64   `json:"macs_per_image"`

	Machine Machine `json:"-"`
	Steps   int     `json:"-"` // measured
	Parts   []Part  `json:"-"` // of a step, longest first
}

// Part is a part of a step: a kind of operator forward or backward, or work outside the network.
type Part struct {
	Kind     string
	Backward bool
	MS       float64 // mean per measured step
	Share    float64 // of the time of all measured steps
}

const (
	warmUpSteps = 3
	minSteps    = 3
)

// guidance is the default share of the float model's outputs in the loss. Running that model takes a forward pass per
// batch.
const guidance = 0.5

// Train times the training step of compress with its default recipe on a model file: all widths, labels and outputs of
// the float model, distortion loss, dampening at full weight, clipping, both optimizers and the moving average.
func Train(ctx context.Context, path string, o TrainOptions) (*TrainResult, error) {
	if o.Batch < 1 || o.Paths < 1 {
		return nil, fmt.Errorf("bench train: batch %d and %d paths must be positive", o.Batch, o.Paths)
	}
	pool := par.New(o.Threads)
	defer pool.Close()
	r := &TrainResult{Threads: pool.Threads(), ISA: kernel.Active().String()}
	batch := train.Batch{X: o.X, Labels: o.Labels, N: o.Batch}
	net, err := network(ctx, path, func(in tensor.Shape) []float32 {
		if batch.X == nil {
			batch.X = noise(in.WithBatch(o.Batch).Numel())
		}
		return batch.X
	}, pool)
	if err != nil {
		return nil, fmt.Errorf("bench train %s: %w", path, err)
	}
	recipe := train.Defaults()
	// A schedule of one step is over after the first: the scheduler has had its turn, damping has its full weight.
	recipe.Batch, recipe.Paths, recipe.Steps = o.Batch, o.Paths-1, 1
	targets(net, &batch, &recipe)
	t, err := train.New(net, recipe, pool)
	if err != nil {
		return nil, fmt.Errorf("bench train %s: %w", path, err)
	}
	if err := r.measure(ctx, t, batch, o); err != nil {
		return nil, fmt.Errorf("bench train %s: %w", path, err)
	}
	r.PeakRSSMB = float64(memory.Peak()) / 1e6
	// Afterwards, since memory that a copy gave back is slower to get again; twice, since the machine may be busy.
	r.Machine = MeasureMachine(pool).best(MeasureMachine(pool))
	r.PeakGFLOPS = r.Machine.GFLOPS
	for i := range net.Plan.Layers {
		r.MACsPerImage += net.Plan.Layers[i].MACs
	}
	seconds := r.MSPerStep / 1e3
	r.ImagesPerS = float64(o.Batch) / seconds
	r.GFLOPS = 2 * float64(r.MACsPerImage) * 3 * float64(o.Paths) * float64(o.Batch) / seconds / 1e9
	r.FractionOfPeak = r.GFLOPS / r.PeakGFLOPS
	return r, nil
}

// targets gives a batch of noise something to train toward: outputs, and labels if the network has one row per sample.
func targets(net *fakequant.Network, b *train.Batch, recipe *train.Options) {
	out := net.Graph.Outputs[0]
	for _, v := range net.Graph.Outputs {
		b.Teacher = append(b.Teacher, noise(max(v.Shape.WithBatch(b.N).Numel(), 0)))
	}
	if (quantize.OutputKinds{}).Of(out.Name, out.Shape) != quantize.Scores {
		recipe.Unlabelled = true
		return
	}
	recipe.Guidance = guidance
	if b.Labels == nil {
		b.Labels = make([]int32, b.N)
		for i := range b.Labels {
			b.Labels[i] = int32(i % out.Shape[1])
		}
	}
}

// measure warms up, then times whole steps and their parts.
func (r *TrainResult) measure(ctx context.Context, t *train.Trainer, b train.Batch, o TrainOptions) error {
	step := func() (time.Duration, error) {
		paths := t.Paths(t.Done())
		start := time.Now()
		_, err := t.Step(ctx, b, paths)
		return time.Since(start), err
	}
	for range warmUpSteps {
		if _, err := step(); err != nil {
			return err
		}
	}
	type key struct {
		kind     string
		backward bool
	}
	parts := map[key]time.Duration{}
	t.Observe(func(kind string, backward bool, took time.Duration) { parts[key{kind, backward}] += took })
	defer t.Observe(nil)
	var list []time.Duration
	var total time.Duration
	for len(list) < o.Steps || o.Steps == 0 && (len(list) < minSteps || total < o.Time) {
		took, err := step()
		if err != nil {
			return err
		}
		list = append(list, took)
		total += took
	}
	r.Steps = len(list)
	for k, took := range parts {
		r.Parts = append(r.Parts, Part{k.kind, k.backward, milliseconds(took) / float64(len(list)), float64(took) / float64(total)})
	}
	slices.SortFunc(r.Parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.MS, a.MS), cmp.Compare(a.Kind, b.Kind))
	})
	slices.Sort(list)
	r.MSPerStep = milliseconds(list[len(list)/2])
	return nil
}

// milliseconds converts a duration.
func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
