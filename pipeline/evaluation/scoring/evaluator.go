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
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// Options of New.
type Options struct {
	Model    *onnx.Model
	Plan     *quantize.Plan // of the model
	Supernet *quantize.Supernet
	Pictures *pictures.Pictures
	Outputs  metric.Outputs // of the model
	Kinds    quantize.OutputKinds
	Profile  export.Profile // candidates run as files of it
	Provider string         // and in this provider of onnxruntime
	// Lanes are as many as candidates are scored at a time. Norms is how many of their batches give the statistics of a candidate's
	// norms; 0: all.
	Lanes []*norms.Lane
	Norms int
	Dir   string // where a model that is too large for memory lies while it runs
}

// Evaluator scores policies in onnxruntime on a fixed set of pictures. The loss of a policy is the distance of its outputs to those of the
// widest one, whose outputs differ from the float model's by what training did, not by quantization.
type Evaluator struct {
	o      Options
	x      []float32
	labels []int32
	n      int
	widest []float32   // rows of the widest policy
	spread [][]float64 // of these
	spent  spent
}

// New reads pictures of a set, and what the widest policy makes of them.
func New(ctx context.Context, o Options, set *dataset.Set, indices []int) (*Evaluator, error) {
	e := &Evaluator{o: o, n: len(indices)}
	if e.o.Norms == 0 {
		e.o.Norms = o.Lanes[0].Batches()
	}
	err := o.Pictures.Each(ctx, set, indices, Batch, func(b pictures.Batch) error {
		e.x = append(e.x, b.X...)
		e.labels = append(e.labels, b.Labels...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, e.reference(ctx)
}

// reference runs the widest policy, from which distances count.
func (e *Evaluator) reference(ctx context.Context) (err error) {
	if e.widest, err = e.outputs(ctx, e.o.Lanes[0], e.o.Plan.Max()); err != nil {
		return fmt.Errorf("run the widest policy: %w", err)
	}
	e.spent = spent{} // candidates alone count
	e.spread, err = e.o.Outputs.Spreads(e.widest, e.n)
	return err
}

const (
	// surveyShare: sensitivities are measured on this part of the pictures, since a sum over dozens of them is less noisy than each, and
	// hundreds of policies are scored;
	surveyShare = 2
	// fewPictures: but on so many at least, if there are as many.
	fewPictures = 256
)

// Survey is an evaluator for the many scores of single changes: on the first of the pictures, which New must have got in random order, and
// with norms from one batch.
// What it loses by that is alike in all of them.
func (e *Evaluator) Survey(ctx context.Context) (*Evaluator, error) {
	n := max(e.n/surveyShare, min(e.n, fewPictures))
	f := &Evaluator{o: e.o, n: n, x: e.x[:n*e.o.Pictures.Elements], labels: e.labels[:min(n, len(e.labels))]}
	f.o.Norms = 1
	return f, f.reference(ctx)
}

// N is the number of pictures.
func (e *Evaluator) N() int { return e.n }

// Widest are the outputs of the widest policy [pictures, values].
func (e *Evaluator) Widest() []float32 { return e.widest }

// Evaluate implements search.Evaluator. A score depends on its policy alone, not on the lane.
func (e *Evaluator) Evaluate(ctx context.Context, ps []quantize.Policy) ([]search.Score, error) {
	scores := make([]search.Score, len(ps))
	return scores, e.Each(ctx, ps, func(i int, outputs []float32) {
		scores[i] = search.Score{Loss: e.loss(outputs), Top1: e.Top1(outputs)}
	})
}

// Each hands policies to lanes one by one, and what they give on all pictures to f.
func (e *Evaluator) Each(ctx context.Context, ps []quantize.Policy, f func(i int, outputs []float32)) error {
	errs := make([]error, len(ps))
	work := make(chan int)
	var wg sync.WaitGroup
	for _, l := range e.o.Lanes[:min(len(e.o.Lanes), len(ps))] {
		wg.Go(func() {
			for i := range work {
				start := time.Now()
				outputs, err := e.outputs(ctx, l, ps[i])
				if err != nil {
					errs[i] = fmt.Errorf("run candidate: %w", err)
					continue
				}
				f(i, outputs)
				e.spent.pictures.Add(int64(e.n))
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

// outputs runs a candidate as it would be exported, with norms of its own.
func (e *Evaluator) outputs(ctx context.Context, l *norms.Lane, p quantize.Policy) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	own, err := l.Norms(ctx, p, e.o.Norms)
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

// Batch is that of a scoring run: large enough to amortise a call, small enough to stay in cache.
const Batch = 32

// Run are the outputs of a model [pictures, values], in a session of its own, on one thread.
func (e *Evaluator) Run(ctx context.Context, model session.Document) ([]float32, error) {
	s, err := model.OpenUntil(ctx, ort.Options{Optimize: true, Provider: e.o.Provider})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var out []float32
	elements := e.o.Pictures.Elements
	for first := 0; first < e.n; first += Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(Batch, e.n-first)
		rows, _, err := measurement.Rows(ctx, s, e.o.Pictures, pictures.Batch{X: e.x[first*elements : (first+n)*elements], N: n}, e.o.Kinds)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// spent counts what evaluations took, summed over lanes.
type spent struct {
	pictures     atomic.Int64
	all, runtime atomic.Int64 // nanoseconds
}

// Spent is the number of pictures that candidates have run on, and the share of the time that was spent inside onnxruntime.
func (e *Evaluator) Spent() (pictures int, runtimeShare float64) {
	return int(e.spent.pictures.Load()), float64(e.spent.runtime.Load()) / float64(e.spent.all.Load())
}
