package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/workspace"
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
	indices, err := j.evalIndices(ctx, e.Samples)
	if err != nil {
		return nil, err
	}
	against, done, err := j.besides(e.Against)
	if err != nil {
		return nil, err
	}
	defer done()
	rep := j.o.Events.Start(event.StageEval, "", fmt.Sprintf("%d pictures", len(indices)))
	r, err := j.measure(ctx, model.Document, indices, measurement.Options{Against: against}, rep)
	if err != nil {
		return nil, stageError(event.StageEval, err)
	}
	rep.Done("")
	out := &EvalResult{N: r.Tally.N, Top1: r.Top1(), Top5: r.Tally.Share(r.Tally.Right5), ImagesPerS: r.Rate()}
	if r.Tally.Labels || against != nil {
		out.Loss = new(r.Tally.MeanLoss())
	}
	if against != nil {
		out.Agreement, out.KL = &r.Agreement, &r.KL
	}
	return out, nil
}

// besides opens the model of a path to run it beside another one, batch by batch: no outputs need be kept. No path is no
// model. Callers end it with done.
func (j *job) besides(path string) (against measurement.Against, done func(), err error) {
	if path == "" {
		return nil, func() {}, nil
	}
	if err := j.takesThese(path); err != nil {
		return nil, nil, err
	}
	model, err := readScores(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: read model to compare with: %w", ErrUsage, err)
	}
	s, err := model.Open(j.runtime())
	if err != nil {
		return nil, nil, stageError(event.StageEval, fmt.Errorf("open %s: %w", path, err))
	}
	against = func(ctx context.Context, b pictures.Batch) ([]float32, error) {
		rows, _, err := measurement.Rows(ctx, s, j.data, b, j.kinds())
		return rows, err
	}
	return against, func() { _ = s.Close() }, nil
}

// evalIndices are so many pictures, or all, without those that cannot be used.
func (j *job) evalIndices(ctx context.Context, samples int) ([]int, error) {
	if samples > 0 {
		return j.sample(ctx, j.data.Test, samples, "eval")
	}
	return j.testIndices(ctx)
}

// evalJob takes data and preprocessing from the workspace that the file lies in, if it does.
func evalJob(o Options) (*job, error) {
	dir := workspaceOf(o.Model)
	w, err := workspace.Open(dir)
	if err != nil && workspace.Is(dir) {
		return nil, err // how its pictures are prepared is not known
	}
	if err == nil {
		j := &job{stated: o, o: o.Resolve(w.Manifest.Options), w: w, measuring: true}
		j.o.Reserved = w.Manifest.Options.Reserved // --split train is what was trained on
		return j, nil
	}
	return &job{stated: o, o: o.WithDefaults(), w: &workspace.Workspace{}, measuring: true}, nil
}
