package doctor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/internal/memory"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize/train"
)

// TrainingCost is what training takes on this machine: the time of a step, from real steps of two batch sizes on noise,
// and the memory of a plan of buffers.
type TrainingCost struct {
	// Batch is the number of samples per step that the figures are for, as compress takes them.
	Batch    int   `json:"batch"`
	Measured []int `json:"measured_batches"`
	Paths    int   `json:"paths"`
	Threads  int   `json:"threads"`
	// MSPerStep is extrapolated from the measured batches by a constant and a part per sample.
	MSPerStep     float64 `json:"ms_per_step"`
	ImagesPerS    float64 `json:"images_per_s"`
	SecondsPer10k float64 `json:"seconds_per_10k_pictures"` // one epoch over 10,000 samples
	MemoryMB      float64 `json:"memory_mb"`                // planned, not measured; 1 MB is 1e6 bytes

	Schedule *Schedule `json:"schedule"` // null if the data is not known
}

const (
	// stepMACs bounds the batch of the timed steps, to well under a second a step on two cores.
	stepMACs   = 3e9
	timedSteps = 2
	// timedWeights bounds the size of the weights in bytes for a trial of training, which takes several times their
	// memory.
	timedWeights = 1 << 30
)

// train calibrates on noise, times training steps, and exports the widest policy to memory. samples is the number of
// training samples, 0 if unknown.
func (d *doctor) train(ctx context.Context, samples int) error {
	if weights := 4 * d.params(); weights > timedWeights {
		d.note("", fmt.Sprintf("training was not tried: the model has %.1f GB of weights, and training holds about %d copies of them",
			float64(weights)/1e9, pipeline.TrainingCopies), "to try it, mpqc bench train --model "+d.o.Model+" --batch 1")
		return nil
	}
	rep := d.o.Events.Start(event.StageTrain, "", "timing training steps on noise")
	c := &TrainingCost{Paths: d.o.Paths, Batch: d.o.BatchSize, Threads: d.pool.Threads()}
	n := min(max(int(stepMACs/float64(max(d.plan.MACs()*int64(3*c.Paths), 1))), 2), 16)
	c.Measured = []int{n / 2, n}
	in := d.model.Graph.Inputs()[0]
	shape, _ := in.Shape()
	x := gaussian(shape.WithBatch(n).Numel())
	err := d.trial.calibrate(ctx, x, n)
	if err == nil {
		err = d.timeSteps(ctx, c, x)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.stop(quoted(err), "training stops: "+err.Error(), "rebuild the part of the model that the message names, and export again")
		return nil
	}
	d.result.Cost = c
	d.export()
	d.memory(c)
	d.schedule(c, samples)
	rep.Done(fmt.Sprintf("%.0f samples/s", c.ImagesPerS))
	return nil
}

// params is the number of weights of all layers.
func (d *doctor) params() (n int64) {
	for _, l := range d.plan.Layers {
		n += l.Params
	}
	return n
}

// timeSteps times steps of the measured batch sizes.
func (d *doctor) timeSteps(ctx context.Context, c *TrainingCost, x []float32) error {
	net, err := d.trial.trainable()
	if err != nil {
		return err
	}
	small, large := c.Measured[0], c.Measured[1]
	o := train.Defaults()
	o.Batch, o.Paths, o.Steps, o.Unlabelled = large, c.Paths-1, 1, true
	t, err := train.New(net, o, d.pool)
	if err != nil {
		return err
	}
	sample := len(x) / large
	var fastest [2]float64
	for k, n := range []int{small, large} {
		b := train.Batch{X: x[:n*sample], N: n}
		for _, v := range net.Graph.Outputs {
			b.Teacher = append(b.Teacher, gaussian(v.Shape.WithBatch(n).Numel()))
		}
		for i := range timedSteps + 1 {
			start := time.Now()
			if _, err := t.Step(ctx, b, t.Paths(t.Done())); err != nil {
				return err
			}
			if s := time.Since(start).Seconds(); i == 1 || i > 1 && s < fastest[k] { // the first warms up
				fastest[k] = s
			}
		}
	}
	// A machine busy with other work can make the smaller step the slower one; half the average is then the guess.
	per := max((fastest[1]-fastest[0])/float64(large-small), fastest[1]/float64(2*large))
	seconds := fastest[1] + per*float64(c.Batch-large)
	c.MSPerStep, c.ImagesPerS = 1e3*seconds, float64(c.Batch)/seconds
	c.SecondsPer10k = 1e4 / c.ImagesPerS
	c.MemoryMB, err = pipeline.TrainingMB(net, c.Batch, d.pool)
	return err
}

// export exports the widest policy to memory in the profile's dialect, lints it, and builds the simulation that it
// would be verified against.
func (d *doctor) export() {
	if _, err := d.trial.simulation(); err != nil {
		d.stop(quoted(err), "the result could not be verified: "+err.Error(), "--exclude the node that the message names, or rebuild this part of the model")
		return
	}
	m, err := d.trial.export()
	if err != nil {
		d.stop(quoted(err), "the result could not be exported: "+err.Error(), "choose another --profile, or --exclude the node that the message names")
		return
	}
	findings, err := lint.Check(m, export.Named(d.result.Profile).Conventions())
	if err != nil {
		d.stop("", err.Error(), "choose another --profile")
	}
	for _, f := range findings {
		if !f.Warning { // warnings depend on trained weights and chosen widths
			d.note(f.Node, fmt.Sprintf("profile %s, %s: %s", d.result.Profile, f.Rule, f.Message), "another --profile, or --exclude the node")
		}
	}
}

// memory warns if training would not fit into memory.
func (d *doctor) memory(c *TrainingCost) {
	if have := float64(memory.Total()) / 1e6; have > 0 && c.MemoryMB > 0.8*have {
		d.fits = max(int(float64(c.Batch)*0.6*have/c.MemoryMB), 1)
		d.note("", fmt.Sprintf("training with %d samples a step takes about %.0f MB, this machine has %.0f MB",
			c.Batch, c.MemoryMB, have), fmt.Sprintf("--batch %d", d.fits))
	}
}

// quoted returns the first quoted name in an error, "" if there is none.
func quoted(err error) string {
	if parts := strings.SplitN(err.Error(), `"`, 3); len(parts) == 3 {
		return parts[1]
	}
	return ""
}

// gaussian returns n normally distributed numbers, always the same.
func gaussian(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, max(n, 0))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}
