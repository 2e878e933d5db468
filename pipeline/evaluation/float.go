// Package evaluation measures: the float model and policies on the test samples, once, and candidates of a search on
// training samples. Test samples are touched once: results stay in scores/ of the workspace under a stamp of everything
// that decides them.
package evaluation

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
)

// version rises when a measurement on the test samples gives something else.
const version = 1

// TestKey is what decides a measurement on the test samples, beside options and inputs of its own.
func TestKey(e *stage.Env, p *samples.Samples, options []any, inputs ...any) stage.Key {
	return stage.Key{Version: version, Options: options, Inputs: append(inputs, p.Stamp, e.Machine.Provider, ort.Version())}
}

// Outputs are those of the core of a network, one of which the labels belong to.
func Outputs(n *network.Network, p *samples.Samples) (metric.Outputs, error) {
	return n.Outputs(len(p.Test.Classes()))
}

// Float is the float model on the test samples, as the workspace holds it or measured.
func Float(ctx context.Context, e *stage.Env, n *network.Network, p *samples.Samples) (*measurement.Result, error) {
	key, err := TestKey(e, p, nil, "float", n.SHA256, onnx.Names(n.Core.Graph.Outputs())).Stamp()
	if err != nil {
		return nil, err
	}
	list, err := Outputs(n, p)
	if err != nil {
		return nil, err
	}
	a, err := e.LoadArchive(stage.FloatScores)
	if stage.Damaged(err) {
		e.WarnAnew(event.StageEval, err)
	}
	if err == nil {
		if r := measurement.Restored(a, key, list); r != nil {
			return r, nil
		}
	}
	r, err := measureFloat(ctx, e, n, p)
	if err != nil || e.Workspace.ReadOnly {
		return r, err
	}
	archive, err := r.Archive(key)
	if err != nil || archive == nil {
		return r, err
	}
	content, err := archive.Content()
	if err != nil {
		return r, err
	}
	return r, e.Workspace.Replace(stage.FloatScores, content)
}

// measureFloat runs the float model over the test samples.
func measureFloat(ctx context.Context, e *stage.Env, n *network.Network, p *samples.Samples) (*measurement.Result, error) {
	model, err := n.Document(e)
	if err != nil {
		return nil, err
	}
	indices, err := p.TestIndices(ctx, e)
	if err != nil {
		return nil, err
	}
	rep := e.Start(event.StageEval, "float", fmt.Sprintf("%d test samples", len(indices)))
	r, err := Measure(ctx, e, model, p, indices, n.Kinds, measurement.Options{Keep: true}, rep)
	if err != nil {
		return nil, err
	}
	text := ""
	if t := r.Top1(); t != nil {
		text = fmt.Sprintf("top-1 %.2f %%", 100**t)
	}
	rep.Done(text)
	return r, nil
}

// Measure runs a model over test samples in the runtime.
func Measure(ctx context.Context, e *stage.Env, model session.Document, p *samples.Samples, indices []int, kinds quantize.OutputKinds, o measurement.Options, rep *event.Reporter) (*measurement.Result, error) {
	s, err := model.OpenUntil(ctx, e.Runtime())
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	o.Seen = rep.Counter(len(indices))
	return measurement.Run(ctx, s, p, indices, kinds, o)
}
