package pipeline

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
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/norms"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/pipeline/session"
	"github.com/mpqc/mpqc/quantize"
)

// evaluator scores policies in onnxruntime on a fixed set of training pictures. The loss of a policy is the distance of
// its outputs to those of the widest one, whose outputs differ from the float model's by what training did, not by
// quantization.
type evaluator struct {
	job    *job
	plan   *quantize.Plan
	x      []float32
	labels []int32
	outs   metric.Outputs
	widest []float32   // rows of the widest policy
	spread [][]float64 // of these
	float  []float32   // rows of the float model, where a caller put them
	n      int
	norms  int // batches of pictures whose statistics a candidate's norms take
	// Candidates run as files of this profile, in this provider.
	profile, provider string
	lanes             []*norms.Lane
	spent             *spent
}

// spent counts what evaluations took, summed over lanes.
type spent struct {
	evaluations, pictures atomic.Int64
	all, runtime          atomic.Int64 // nanoseconds
}

func (j *job) evaluator(ctx context.Context) (*evaluator, error) {
	if j.scorer != nil {
		return j.scorer, nil
	}
	e, err := j.scoring(ctx, j.data.Train, j.data.Some(j.o.SearchSamples, "search", j.o.SearchPicturesSeed()))
	if err != nil {
		return nil, err
	}
	j.scorer = e
	return e, nil
}

// scoring reads pictures of a set, and what the widest policy makes of them.
func (j *job) scoring(ctx context.Context, set *dataset.Set, indices []int) (*evaluator, error) {
	e, err := j.pictured(ctx, set, indices)
	if err != nil {
		return nil, err
	}
	return e, e.reference(ctx)
}

// pictured is an evaluator with pictures of a set that has no reference yet.
func (j *job) pictured(ctx context.Context, set *dataset.Set, indices []int) (*evaluator, error) {
	e := &evaluator{job: j, plan: j.plan, n: len(indices), spent: &spent{}, profile: j.o.Profiles[0], provider: j.o.Provider}
	err := j.data.Each(ctx, set, indices, scoreBatch, func(b pictures.Batch) error {
		e.x = append(e.x, b.X...)
		e.labels = append(e.labels, b.Labels...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if e.lanes, err = j.openLanes(ctx); err != nil {
		return nil, err
	}
	e.norms = e.lanes[0].Batches()
	e.outs, err = j.outputs()
	return e, err
}

// reference runs the widest policy, from which distances count.
func (e *evaluator) reference(ctx context.Context) (err error) {
	if e.widest, err = e.outputs(ctx, e.lanes[0], e.plan.Max()); err != nil {
		return fmt.Errorf("run the widest policy: %w", err)
	}
	e.spread, err = e.outs.Spreads(e.widest, e.n)
	return err
}

// survey is an evaluator for the many scores of single changes: on a share of the pictures, and with norms from one batch.
// What it loses by that is alike in all of them.
func (e *evaluator) survey(ctx context.Context) (*evaluator, error) {
	f, n := *e, max(e.n/sensitivityShare, 1)
	f.n, f.x, f.labels, f.norms = n, e.x[:n*e.job.data.Elements], e.labels[:min(n, len(e.labels))], 1
	return &f, f.reference(ctx)
}

// scoreBatch is the batch of a scoring run: large enough to amortise a call, small enough to stay in cache.
const scoreBatch = 32

// Evaluate implements search.Evaluator. A score depends on its policy alone, not on the lane.
func (e *evaluator) Evaluate(ctx context.Context, ps []quantize.Policy) ([]search.Score, error) {
	scores := make([]search.Score, len(ps))
	return scores, e.each(ctx, ps, func(i int, outputs []float32) {
		var sum float64
		for _, d := range e.distances(outputs) {
			sum += d
		}
		scores[i].Loss = sum / float64(max(e.n, 1))
		scores[i].Top1 = e.top1(outputs)
	})
}

// each hands policies to lanes one by one, and what they give on all pictures to f.
func (e *evaluator) each(ctx context.Context, ps []quantize.Policy, f func(i int, outputs []float32)) error {
	errs := make([]error, len(ps))
	work := make(chan int)
	var wg sync.WaitGroup
	for _, l := range e.lanes[:min(len(e.lanes), len(ps))] {
		wg.Go(func() {
			for i := range work {
				start := time.Now()
				outputs, err := e.outputs(ctx, l, ps[i])
				if err != nil {
					errs[i] = fmt.Errorf("run candidate: %w", err)
					continue
				}
				f(i, outputs)
				e.spent.evaluations.Add(1)
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

// scoreTemperature softens class scores before they are compared. Without it a few unsure pictures decide: on 256 pictures,
// divergences at 3 bit then correlate with those on many pictures at 0.61, softened at 0.73.
const scoreTemperature = 2

// distances are those of every picture's outputs to the widest policy's, with softened class scores.
func (e *evaluator) distances(outputs []float32) []float64 {
	out := make([]float64, e.n)
	row := e.outs.Row()
	for i := range out {
		out[i] = e.outs.Distance(e.widest[i*row:(i+1)*row], outputs[i*row:(i+1)*row], e.spread, scoreTemperature)
	}
	return out
}

// guess is the loss of a network that says the same of every picture: the mean of what the widest policy says.
func (e *evaluator) guess() float64 {
	row := e.outs.Row()
	mean := make([]float64, row)
	for i, v := range e.widest {
		mean[i%row] += float64(v) / float64(e.n)
	}
	same := make([]float32, len(e.widest))
	for i := range same {
		same[i] = float32(mean[i%row])
	}
	var sum float64
	for _, d := range e.distances(same) {
		sum += d
	}
	return sum / float64(max(e.n, 1))
}

// top1 is the share of right predictions, 0 without labels.
func (e *evaluator) top1(outputs []float32) float64 {
	if !e.job.data.Labels {
		return 0
	}
	t := metric.Tally{Labels: true}
	t.Begin(e.outs) // labels without class scores were refused before
	t.Add(e.outs, outputs, e.n, e.labels)
	return *t.Share(t.Right)
}

// outputs runs a candidate as it would be exported, with norms of its own.
func (e *evaluator) outputs(ctx context.Context, l *norms.Lane, p quantize.Policy) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	own, err := l.Norms(ctx, p, e.norms)
	if err != nil {
		return nil, err
	}
	s, _, err := runnable(e.plan, e.job.supernet.Over(own), p, e.profile)
	if err != nil {
		return nil, err
	}
	m, err := export.Export(e.job.model, e.plan, s, p, export.Options{Profile: e.profile})
	if err != nil {
		return nil, err
	}
	if m, err = export.Standard(m); err != nil {
		return nil, err
	}
	model, remove, err := e.job.document(m)
	if err != nil {
		return nil, err
	}
	defer remove()
	start := time.Now()
	defer func() { e.spent.runtime.Add(int64(time.Since(start))) }()
	return e.run(ctx, model)
}

// run is a session of its own, on one thread, over all pictures of the evaluator.
func (e *evaluator) run(ctx context.Context, model session.Document) ([]float32, error) {
	s, err := model.Open(ort.Options{Optimize: true, Provider: e.provider})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var out []float32
	elements := e.job.data.Elements
	for first := 0; first < e.n; first += scoreBatch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(scoreBatch, e.n-first)
		rows, _, err := runBatch(ctx, s, e.job.data, pictures.Batch{X: e.x[first*elements : (first+n)*elements], N: n}, e.job.kinds())
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}
