package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// EvalOptions of Eval, beside the data and preprocessing of Options.
type EvalOptions struct {
	Against string // path of a model to compare predictions with
	Split   string // test, train or all
	Samples int    // so many samples, drawn by seed; 0: all
}

// EvalResult is what `eval --json` prints. Shares are between 0 and 1, null without labels. Without labels the loss is
// the divergence from the model of Against, null without one.
type EvalResult struct {
	N          int      `json:"n"`
	Top1       *float64 `json:"top1"`
	Top5       *float64 `json:"top5"`
	Loss       *float64 `json:"loss"`
	ImagesPerS float64  `json:"images_per_s"`
	Agreement  *float64 `json:"agreement,omitempty"`
	KL         *float64 `json:"kl,omitempty"`
}

// Eval measures any ONNX file on samples in the runtime. Preprocessing and data are those stated, else the file's own
// metadata and, for a file inside a workspace, the workspace's data.
func Eval(ctx context.Context, o Options, eo EvalOptions) (*EvalResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if eo.Samples < 0 {
		return nil, fmt.Errorf("%w: samples: must not be negative", ErrUsage)
	}
	if err := ort.SetLibrary(o.OnnxRuntime); err != nil {
		return nil, err
	}
	model, err := readScores(o.Model)
	if err != nil {
		return nil, fmt.Errorf("%w: read model: %w", ErrUsage, err)
	}
	e, c, err := evalSite(o)
	if err != nil {
		return nil, err
	}
	defer e.Pool.Close()
	if err := ort.Available(); err != nil {
		return nil, err
	}
	if err := checkProvider(c.Provider); err != nil {
		return nil, err
	}
	kinds, err := quantize.ParseOutputKinds(c.OutputKinds)
	if err != nil {
		return nil, err
	}
	p, err := samplesFor(e, model, kinds, c.Options, eo.Split)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }() // only read
	indices, err := evalIndices(ctx, e, p, eo.Samples)
	if err != nil {
		return nil, err
	}
	against, done, err := besides(e, p, kinds, eo.Against)
	if err != nil {
		return nil, err
	}
	defer done()
	rep := e.Start(event.StageEval, "", fmt.Sprintf("%d samples", len(indices)))
	r, err := evaluation.Measure(ctx, e, model.Document, p, indices, kinds, measurement.Options{Against: against}, rep)
	if err != nil {
		return nil, stage.Wrap(event.StageEval, err)
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

// besides opens the model of a path to run it beside another one, batch by batch: no outputs need be kept. No path is
// no model. Callers end it with done.
func besides(e *stage.Env, p *samples.Samples, kinds quantize.OutputKinds, path string) (against measurement.Against, done func(), err error) {
	if path == "" {
		return nil, func() {}, nil
	}
	if err := takesThese(p, path); err != nil {
		return nil, nil, err
	}
	model, err := readScores(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: read model to compare with: %w", ErrUsage, err)
	}
	s, err := model.Open(e.Runtime())
	if err != nil {
		return nil, nil, stage.Wrap(event.StageEval, fmt.Errorf("open %s: %w", path, err))
	}
	against = func(ctx context.Context, b samples.Batch) ([]float32, error) {
		rows, _, err := measurement.Rows(ctx, s, p, b, kinds)
		return rows, err
	}
	return against, func() { _ = s.Close() }, nil
}

// evalIndices are so many samples, or all, without those that cannot be used.
func evalIndices(ctx context.Context, e *stage.Env, p *samples.Samples, samples int) ([]int, error) {
	if samples > 0 {
		return p.Usable(ctx, e, samples, "eval")
	}
	return p.TestIndices(ctx, e)
}

// samplesFor opens one split for measuring a file.
func samplesFor(e *stage.Env, model scored, kinds quantize.OutputKinds, o Options, split string) (*samples.Samples, error) {
	if _, err := samples.Locate(o.Data); err != nil {
		return nil, err
	}
	switch split {
	case dataset.Train, dataset.Test, dataset.All, dataset.Val:
	default:
		return nil, fmt.Errorf("%w: split %q is not test, train, val or all", ErrUsage, split)
	}
	// Kinds that a workspace keeps name outputs of its core, stated ones may name those of the file.
	if err := network.CheckKinds(kinds, model.part, model.file); err != nil {
		return nil, err
	}
	m := samples.Model{Model: model.part, Kinds: kinds}
	return samples.OpenSplits(e, m, o.ModelOptions, o.DataOptions, split, split)
}

// evalSite takes data and preprocessing from the workspace that the file lies in, if it does. Nothing is written there.
func evalSite(o Options) (*stage.Env, call, error) {
	dir := workspaceOf(o.Model)
	w, err := workspace.Open(dir)
	if err != nil && workspace.Is(dir) {
		return nil, call{}, err // how its samples are prepared is not known
	}
	c := call{stated: o, Options: o.WithDefaults()}
	if err != nil {
		w = &workspace.Workspace{}
	} else {
		c.kept, c.Options = w.Manifest.Options, o.Resolve(w.Manifest.Options)
		c.Reserved = c.kept.Reserved // --split train is what was trained on
	}
	w.ReadOnly = true
	return &stage.Env{
		Workspace: w, Events: o.Events, Pool: par.New(o.Threads), Machine: c.MachineOptions, Seed: *c.Seed, Seconds: &record.Seconds{},
	}, c, nil
}
