package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/metric"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/session"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// EvalOptions of Eval, beside the data and preprocessing of Options.
type EvalOptions struct {
	Against string // path of a model to compare predictions with
	Split   string // test, train or all
	Samples int    // so many pictures, drawn by seed; 0: all
}

// EvalResult is what `eval --json` prints. Shares are between 0 and 1, null without labels. Without labels the loss is the
// divergence from the model of Against, null without one.
type EvalResult struct {
	N          int      `json:"n"`
	Top1       *float64 `json:"top1"`
	Top5       *float64 `json:"top5"`
	Loss       *float64 `json:"loss"`
	ImagesPerS float64  `json:"images_per_s"`
	Agreement  *float64 `json:"agreement,omitempty"`
	KL         *float64 `json:"kl,omitempty"`
}

// reference is a model measured over a list of pictures.
type reference struct {
	tally     metric.Tally
	outputs   metric.Outputs
	logits    []float32  // rows of outputs, where they are kept
	seconds   float64    // inside the runtime
	gap       metric.Gap // from the model it is compared with
	agreement float64    // with it
	kl        float64    // distance from it
}

func (r *reference) top1() *float64 { return r.tally.Share(r.tally.Right) }

func (r *reference) rate() float64 {
	if r.seconds == 0 {
		return 0
	}
	return float64(r.tally.N) / r.seconds
}

// evalBatch is the batch of measurements, where a model does not fix its own.
const evalBatch = 64

// measurement is what measure does beside counting.
type measurement struct {
	keep    bool    // the outputs of all pictures
	against against // nil: nothing is compared
}

// against gives the outputs of another model for the pictures of a batch.
type against func(ctx context.Context, b pictures.Batch) ([]float32, error)

// stored are outputs of n pictures that were kept; nil for none.
func stored(logits []float32, n int) against {
	if logits == nil {
		return nil
	}
	classes := len(logits) / max(n, 1)
	return func(_ context.Context, b pictures.Batch) ([]float32, error) {
		return logits[b.First*classes : b.Done*classes], nil
	}
}

// measure runs a model over pictures in the runtime.
func (j *job) measure(ctx context.Context, model session.Document, set *dataset.Set, indices []int, m measurement, rep *event.Reporter) (*reference, error) {
	s, err := model.Open(ort.Options{Threads: j.o.Workers(), Optimize: true, Provider: j.o.Provider})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	r := &reference{tally: metric.Tally{Labels: j.data.Labels}}
	err = j.data.Each(ctx, set, indices, cmp.Or(fixedBatch(s), evalBatch), func(b pictures.Batch) error {
		start := time.Now()
		y, list, err := runBatch(ctx, s, j.data, b, j.kinds())
		if err != nil {
			return err
		}
		r.seconds += time.Since(start).Seconds()
		if err := r.begin(list); err != nil {
			return err
		}
		if err := r.add(ctx, y, b, m); err != nil {
			return err
		}
		rep.Progress(int64(b.Done), int64(len(indices)), "")
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.finish(m)
	return r, nil
}

// fixedBatch is the batch that a model was exported with, 0 if that is open.
func fixedBatch(s *ort.Session) int {
	if in := s.Inputs(); len(in) == 1 && len(in[0].Shape) > 0 {
		return max(in[0].Shape[0], 0)
	}
	return 0
}

// runBatch computes the rows of a batch, in pieces of the model's own batch where it has one. A piece that is smaller is filled
// up with zeros.
func runBatch(ctx context.Context, s *ort.Session, p *pictures.Pictures, b pictures.Batch, kinds quantize.OutputKinds) (rows []float32, list metric.Outputs, err error) {
	piece := cmp.Or(fixedBatch(s), b.N)
	for at := 0; at < b.N; at += piece {
		n := min(piece, b.N-at)
		x := b.X[at*p.Elements : (at+n)*p.Elements]
		if n < piece {
			x = append(slices.Clone(x), make([]float32, p.Elements*(piece-n))...)
		}
		ys, err := s.RunFloats(ctx, x, p.BatchShape(piece))
		if err != nil {
			return nil, nil, err
		}
		y, this, err := metric.Rows(ys, piece, kinds)
		this.Label(len(p.Test.Classes()))
		if err == nil && list != nil {
			err = list.Same(this)
		}
		if err != nil {
			return nil, nil, err
		}
		list, y = this, y[:len(y)/piece*n]
		if n == b.N {
			return y, list, nil
		}
		rows = append(rows, y...)
	}
	return rows, list, nil
}

// begin notes what rows consist of, before the first of them.
func (r *reference) begin(list metric.Outputs) error {
	if r.outputs != nil {
		return r.outputs.Same(list)
	}
	r.outputs, r.gap = list, metric.NewGap(list)
	if !r.tally.Begin(list) {
		return fmt.Errorf("%w: no output is a row of class scores per picture; --no-labels works without", ErrUsage)
	}
	return nil
}

// add takes the rows of a batch.
func (r *reference) add(ctx context.Context, y []float32, b pictures.Batch, m measurement) error {
	if m.against != nil {
		other, err := m.against(ctx, b)
		if err != nil {
			return err
		}
		if len(other) != len(y) {
			return errors.New("the two models have different numbers of outputs")
		}
		r.gap.Add(other, y, b.N)
	}
	r.tally.Add(r.outputs, y, b.N, b.Labels)
	if m.keep {
		r.logits = append(r.logits, y...)
	}
	return nil
}

// finish turns sums over pictures into means where there was something to compare with.
func (r *reference) finish(m measurement) {
	if m.against == nil {
		return
	}
	r.kl, r.agreement = r.gap.Distance(), r.gap.Agreement()
	if !r.tally.Labels {
		r.tally.Loss = r.kl * float64(r.tally.N)
	}
}

// Eval measures any ONNX file on pictures in the runtime. Preprocessing and data are those stated, else the file's own
// metadata and, for a file inside a workspace, the workspace's data.
func Eval(ctx context.Context, o Options, e EvalOptions) (*EvalResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if e.Samples < 0 {
		return nil, fmt.Errorf("%w: samples: must not be negative", ErrUsage)
	}
	if err := ort.SetLibrary(o.OnnxRuntime); err != nil {
		return nil, err
	}
	model, err := readScores(o.Model)
	if err != nil {
		return nil, fmt.Errorf("%w: read model: %w", ErrUsage, err)
	}
	j, err := evalJob(o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	if err := ort.Available(); err != nil {
		return nil, err
	}
	if err := checkProvider(j.o.Provider); err != nil {
		return nil, err
	}
	if err := j.openDataFor(model, e.Split); err != nil {
		return nil, err
	}
	set := j.data.Test
	indices, err := j.evalIndices(ctx, set, e.Samples)
	if err != nil {
		return nil, err
	}
	m, done, err := j.besides(e.Against)
	if err != nil {
		return nil, err
	}
	defer done()
	rep := j.o.Events.Start(event.StageEval, "", fmt.Sprintf("%d pictures", len(indices)))
	r, err := j.measure(ctx, model.Document, set, indices, m, rep)
	if err != nil {
		return nil, stageError(event.StageEval, err)
	}
	rep.Done("")
	out := &EvalResult{N: r.tally.N, Top1: r.top1(), Top5: r.tally.Share(r.tally.Right5), ImagesPerS: r.rate()}
	if r.tally.Labels || m.against != nil {
		out.Loss = new(r.tally.MeanLoss())
	}
	if m.against != nil {
		out.Agreement, out.KL = &r.agreement, &r.kl
	}
	return out, nil
}

// besides opens the model of a path to run it beside another one, batch by batch: no outputs need be kept. No path is no
// model. Callers end it with done.
func (j *job) besides(path string) (m measurement, done func(), err error) {
	if path == "" {
		return m, func() {}, nil
	}
	if err := j.takesThese(path); err != nil {
		return m, nil, err
	}
	model, err := readScores(path)
	if err != nil {
		return m, nil, fmt.Errorf("%w: read model to compare with: %w", ErrUsage, err)
	}
	s, err := model.Open(ort.Options{Threads: j.o.Workers(), Optimize: true, Provider: j.o.Provider})
	if err != nil {
		return m, nil, stageError(event.StageEval, fmt.Errorf("open %s: %w", path, err))
	}
	m.against = func(ctx context.Context, b pictures.Batch) ([]float32, error) {
		rows, _, err := runBatch(ctx, s, j.data, b, j.kinds())
		return rows, err
	}
	return m, func() { _ = s.Close() }, nil
}

// evalIndices are so many pictures, or all, without those that cannot be used.
func (j *job) evalIndices(ctx context.Context, set *dataset.Set, samples int) ([]int, error) {
	if samples > 0 {
		return j.sample(ctx, set, samples, "eval")
	}
	return j.testIndices(ctx)
}

// evalJob takes data and preprocessing from the workspace that the file lies in, if it does.
func evalJob(o Options) (*job, error) {
	dir := workspaceOf(o.Model)
	if w, err := workspace.Open(dir); err == nil {
		j := &job{stated: o, o: o.Resolve(w.Manifest.Options), w: w, measuring: true}
		j.o.Reserved = w.Manifest.Options.Reserved // --split train is what was trained on
		return j, nil
	}
	return &job{stated: o, o: o.WithDefaults(), w: &workspace.Workspace{}, measuring: true}, nil
}
