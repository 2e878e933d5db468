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
)

// EvalOptions of Eval, beside the data and preprocessing of Options.
type EvalOptions struct {
	Against string // path of a model to compare predictions with
	Split   string // test, train or all
	Samples int    // so many pictures, drawn by seed; 0: all
}

// EvalResult is what `eval --json` prints. Shares are between 0 and 1, null without labels.
type EvalResult struct {
	N          int      `json:"n"`
	Top1       *float64 `json:"top1"`
	Top5       *float64 `json:"top5"`
	Loss       float64  `json:"loss"`
	ImagesPerS float64  `json:"images_per_s"`
	Agreement  *float64 `json:"agreement,omitempty"`
	KL         *float64 `json:"kl,omitempty"`
}

// reference is a model measured over a list of pictures.
type reference struct {
	tally     tally
	logits    []float32 // [n, classes]
	seconds   float64   // inside the runtime
	agreement float64   // with the model it was compared with
	kl        float64
}

func (r *reference) top1() *float64 { return r.tally.share(r.tally.right) }

func (r *reference) rate() float64 {
	if r.seconds == 0 {
		return 0
	}
	return float64(r.tally.n) / r.seconds
}

// evalBatch is the batch of measurements, where a model does not fix its own.
const evalBatch = 64

// measure runs a model over pictures in the runtime. against holds the logits to compare with, nil for none.
func (j *job) measure(ctx context.Context, model document, set *dataset.Set, indices []int, against []float32, rep *reporter) (*reference, error) {
	s, err := model.open(ort.Options{Threads: lanes(j.o.Threads), Optimize: true, Provider: j.o.Provider})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	r := &reference{tally: tally{labels: j.data.labels}}
	fixed := fixedBatch(s)
	err = j.data.each(ctx, set, indices, cmp.Or(fixed, evalBatch), func(b batchOf) error {
		start := time.Now()
		y, err := j.data.run(ctx, s, b, fixed)
		if err != nil {
			return err
		}
		r.seconds += time.Since(start).Seconds()
		return r.add(y, b, against, rep, len(indices))
	})
	if err != nil {
		return nil, err
	}
	r.compare(against)
	return r, nil
}

// fixedBatch is the batch that a model was exported with, 0 if that is open.
func fixedBatch(s *ort.Session) int {
	if in := s.Inputs(); len(in) == 1 && len(in[0].Shape) > 0 {
		return max(in[0].Shape[0], 0)
	}
	return 0
}

// run computes the logits of a batch. One that is smaller than the model's own is filled up with zeros.
func (p *pictures) run(ctx context.Context, s *ort.Session, b batchOf, fixed int) ([]float32, error) {
	x, n := b.x, max(b.n, fixed)
	if n > b.n {
		x = append(slices.Clone(x), make([]float32, len(x)/b.n*(n-b.n))...)
	}
	y, _, err := s.RunFloat(ctx, x, p.batchShape(n))
	if err != nil {
		return nil, err
	}
	return y[:len(y)/n*b.n], nil
}

// add takes the logits of a batch.
func (r *reference) add(y []float32, b batchOf, against []float32, rep *reporter, total int) error {
	var other []float32
	if against != nil {
		classes := len(y) / b.n
		if len(against) < b.done*classes {
			return errors.New("the two models have different numbers of outputs")
		}
		other = against[b.first*classes : b.done*classes]
	}
	r.tally.add(y, b.n, b.labels, other)
	r.logits = append(r.logits, y...)
	rep.progress(int64(b.done), int64(total), "")
	return nil
}

// compare sets agreement and KL with other logits.
func (r *reference) compare(against []float32) {
	if against == nil || r.tally.n == 0 {
		return
	}
	r.agreement, _ = agreement(against, r.logits, r.tally.n)
	classes := len(r.logits) / r.tally.n
	for i := range r.tally.n {
		r.kl += divergence(against[i*classes:(i+1)*classes], r.logits[i*classes:(i+1)*classes])
	}
	r.kl /= float64(r.tally.n)
}

// Eval measures any ONNX file on pictures in the runtime. Preprocessing and data are those stated, else the file's own
// metadata and, for a file inside a workspace, the workspace's data.
func Eval(ctx context.Context, o Options, e EvalOptions) (*EvalResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
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
	if err := j.openDataFor(ctx, o.Model, e.Split); err != nil {
		return nil, err
	}
	set := j.data.test
	indices := all(set.Len())
	if e.Samples > 0 {
		indices = draw(set.Len(), e.Samples, "eval", *j.o.Seed)
	}
	var against []float32
	if e.Against != "" {
		other, err := readScores(e.Against)
		if err != nil {
			return nil, fmt.Errorf("%w: read model to compare with: %w", ErrUsage, err)
		}
		r, err := j.measure(ctx, other, set, indices, nil, j.o.Events.start(StageEval, e.Against, ""))
		if err != nil {
			return nil, stageError(StageEval, err)
		}
		against = r.logits
	}
	rep := j.o.Events.start(StageEval, "", fmt.Sprintf("%d pictures", len(indices)))
	r, err := j.measure(ctx, model, set, indices, against, rep)
	if err != nil {
		return nil, stageError(StageEval, err)
	}
	rep.done("")
	out := &EvalResult{N: r.tally.n, Top1: r.top1(), Top5: r.tally.share(r.tally.right5), Loss: r.tally.meanLoss(), ImagesPerS: r.rate()}
	if against != nil {
		out.Agreement, out.KL = &r.agreement, &r.kl
	}
	return out, nil
}

// evalJob takes data and preprocessing from the workspace that the file lies in, if it does.
func evalJob(o Options) (*job, error) {
	dir := workspaceOf(o.Model)
	if w, err := OpenWorkspace(dir); err == nil {
		return &job{stated: o, o: o.resolve(w.Manifest.Options), w: w, measuring: true}, nil
	}
	return &job{stated: o, o: o.resolve(Options{}), w: &Workspace{}, measuring: true}, nil
}
