package scoring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// Options of New.
type Options struct {
	Model    *onnx.Model
	Plan     *quantize.Plan // of Model
	Supernet *quantize.Supernet
	Samples  *samples.Samples
	Outputs  metric.Outputs // of Model
	Kinds    quantize.OutputKinds
	// Candidates run as files of this profile, in this execution provider.
	Profile  export.Profile
	Provider string
	// Workers score one candidate each at a time.
	Workers []*norms.Worker
	// Norms is the number of batches that the BatchNorms of a candidate are re-estimated on; 0: all.
	Norms int
	Dir   string // for temporary files of models that are too large for memory
}

// Evaluator scores policies in onnxruntime on a fixed set of samples. The loss of a policy is the distance of its
// outputs to those of the widest policy. The widest policy differs from the float model by training, not by
// quantization.
type Evaluator struct {
	o      Options
	x      []float32 // [samples, ...]
	labels []int32
	n      int         // samples
	widest []float32   // rows of the widest policy, [samples, Row()]
	spread [][]float64 // see metric.Outputs.Spreads
	spent  spent
}

// New reads the samples of set at indices and runs the widest policy on them.
func New(ctx context.Context, o Options, set *dataset.Set, indices []int) (*Evaluator, error) {
	e := &Evaluator{o: o, n: len(indices)}
	if e.o.Norms == 0 {
		e.o.Norms = o.Workers[0].Batches()
	}
	err := o.Samples.Each(ctx, set, indices, Batch, func(b samples.Batch) error {
		e.x = append(e.x, b.X...)
		e.labels = append(e.labels, b.Labels...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, e.reference(ctx)
}

// reference runs the widest policy, to which distances are measured.
func (e *Evaluator) reference(ctx context.Context) (err error) {
	if e.widest, err = e.outputs(ctx, e.o.Workers[0], e.o.Plan.Max()); err != nil {
		return fmt.Errorf("run the widest policy: %w", err)
	}
	e.spent = spent{} // candidates alone count
	e.spread, err = e.o.Outputs.Spreads(e.widest, e.n)
	return err
}

const (
	// Subset takes one of subsetShare samples. Hundreds of policies are scored for sensitivities, and a sum over dozens
	// of sensitivities is less noisy than each of them.
	subsetShare = 2
	// Subset takes at least so many samples, if there are as many.
	fewSamples = 256
)

// Subset returns a cheaper evaluator for the many scores of single changes. It uses the first part of the samples,
// which New must have received in random order, and re-estimates BatchNorm on one batch. The loss of accuracy is alike
// in all its scores.
func (e *Evaluator) Subset(ctx context.Context) (*Evaluator, error) {
	n := max(e.n/subsetShare, min(e.n, fewSamples))
	f := &Evaluator{o: e.o, n: n, x: e.x[:n*e.o.Samples.Elements], labels: e.labels[:min(n, len(e.labels))]}
	f.o.Norms = 1
	return f, f.reference(ctx)
}

// N is the number of samples.
func (e *Evaluator) N() int { return e.n }

// Widest returns the outputs [samples, Row()] of the widest policy. The caller must not change them.
func (e *Evaluator) Widest() []float32 { return e.widest }

// Evaluate implements search.Evaluator. A score depends on its policy only, not on the worker.
func (e *Evaluator) Evaluate(ctx context.Context, ps []quantize.Policy) ([]search.Score, error) {
	scores := make([]search.Score, len(ps))
	return scores, e.Each(ctx, ps, func(i int, outputs []float32) {
		scores[i] = search.Score{Loss: e.loss(outputs), Top1: e.Top1(outputs)}
	})
}

// Each distributes policies over the workers and calls f with the outputs [samples, Row()] of each. f is called by
// several goroutines.
func (e *Evaluator) Each(ctx context.Context, ps []quantize.Policy, f func(i int, outputs []float32)) error {
	errs := make([]error, len(ps))
	work := make(chan int)
	var wg sync.WaitGroup
	for _, w := range e.o.Workers[:min(len(e.o.Workers), len(ps))] {
		wg.Go(func() {
			for i := range work {
				start := time.Now()
				outputs, err := e.outputs(ctx, w, ps[i])
				if err != nil {
					errs[i] = fmt.Errorf("run candidate: %w", err)
					continue
				}
				f(i, outputs)
				e.spent.samples.Add(int64(e.n))
				e.spent.all.Add(int64(time.Since(start)))
			}
		})
	}
	for i := range ps {
		work <- i
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

// outputs runs a policy as it would be exported, with BatchNorm re-estimated for it.
func (e *Evaluator) outputs(ctx context.Context, w *norms.Worker, p quantize.Policy) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	own, err := w.Norms(ctx, p, e.o.Norms)
	if err != nil {
		return nil, err
	}
	model, remove, err := Document(e.o.Model, e.o.Plan, e.o.Supernet.Over(own), p, e.o.Profile, e.o.Dir)
	if err != nil {
		return nil, err
	}
	defer remove()
	start := time.Now()
	defer func() { e.spent.runtime.Add(int64(time.Since(start))) }()
	return e.Run(ctx, model)
}

// Batch is the batch size of scoring: large enough to amortise a call, small enough to stay in cache.
const Batch = 32

// Run returns the outputs [samples, Row()] of a model, which runs on one thread in a session of its own.
func (e *Evaluator) Run(ctx context.Context, model session.Document) ([]float32, error) {
	s, err := model.OpenUntil(ctx, ort.Options{Optimize: true, Provider: e.o.Provider})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var out []float32
	elements := e.o.Samples.Elements
	for first := 0; first < e.n; first += Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(Batch, e.n-first)
		rows, _, err := measurement.Rows(ctx, s, e.o.Samples, samples.Batch{X: e.x[first*elements : (first+n)*elements], N: n}, e.o.Kinds)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// spent counts what evaluations took, summed over workers.
type spent struct {
	samples      atomic.Int64
	all, runtime atomic.Int64 // nanoseconds
}

// Spent returns the number of samples that candidates have run on, and the share of time spent inside onnxruntime.
func (e *Evaluator) Spent() (samples int, runtimeShare float64) {
	return int(e.spent.samples.Load()), float64(e.spent.runtime.Load()) / float64(e.spent.all.Load())
}
