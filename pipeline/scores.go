package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize/integer"
)

// Test pictures are touched once: what was measured on them stays in scores/ of the workspace, under a fingerprint of
// everything that decides it. A search for a further target then measures nothing but its own result.

// testKey is the fingerprint of a measurement on the test pictures.
func (j *job) testKey(parts ...any) (string, error) {
	return workspace.Fingerprint(append(parts, j.data.Stamp, j.o.Provider, ort.Version())...)
}

// testIndices are all test pictures that can be used.
func (j *job) testIndices(ctx context.Context) ([]int, error) {
	if err := j.checkTest(ctx); err != nil {
		return nil, err
	}
	return pictures.All(j.data.Test.Len()), nil
}

// floatScoresFile holds the float model's outputs for the test pictures.
const floatScoresFile = "scores/float.safetensors"

// floatReference is the float model on the test pictures.
func (j *job) floatReference(ctx context.Context) (*measurement.Result, error) {
	if j.base != nil {
		return j.base, nil
	}
	key, err := j.floatKey()
	if err != nil {
		return nil, err
	}
	list, err := j.outputs()
	if err != nil {
		return nil, err
	}
	a, err := j.loadArchive(floatScoresFile)
	if damaged(err) {
		j.warnAnew(event.StageEval, err)
	}
	if err == nil {
		if r := measurement.Restored(a, key, list); r != nil {
			j.base = r
			return r, nil
		}
	}
	model, err := j.floatDocument()
	if err != nil {
		return nil, err
	}
	indices, err := j.testIndices(ctx)
	if err != nil {
		return nil, err
	}
	rep := j.o.Events.Start(event.StageEval, "float", fmt.Sprintf("%d test pictures", len(indices)))
	r, err := j.measure(ctx, model, indices, measurement.Options{Keep: true}, rep)
	if err != nil {
		return nil, err
	}
	text := ""
	if t := r.Top1(); t != nil {
		text = fmt.Sprintf("top-1 %.2f %%", 100**t)
	}
	rep.Done(text)
	j.base = r
	if j.w.ReadOnly {
		return r, nil
	}
	archive, err := r.Archive(key)
	if err != nil || archive == nil {
		return r, err
	}
	content, err := archive.Content()
	if err != nil {
		return r, err
	}
	return r, j.w.Replace(floatScoresFile, content)
}

// floatKey is the fingerprint of the float model on the test pictures.
func (j *job) floatKey() (string, error) {
	parts := []any{"float", j.w.Manifest.Model.SHA256}
	if j.parts.Tail() != nil { // where the model is cut follows from what is excluded
		parts = append(parts, onnx.Names(j.float.Graph.Outputs()))
	}
	return j.testKey(parts...)
}

// runtime are the options of measurements in the runtime.
func (j *job) runtime() ort.Options {
	return ort.Options{Threads: j.o.Workers(), Optimize: true, Provider: j.o.Provider}
}

// measure runs a model over test pictures in the runtime.
func (j *job) measure(ctx context.Context, model session.Document, indices []int, o measurement.Options, rep *event.Reporter) (*measurement.Result, error) {
	s, err := model.OpenUntil(ctx, j.runtime())
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	o.Seen = rep.Counter(len(indices))
	return measurement.Run(ctx, s, j.data, indices, j.kinds(), o)
}

// simulate runs the simulation of a model over test pictures.
func (j *job) simulate(ctx context.Context, sim *integer.Network, indices []int, o measurement.Options) (*measurement.Result, error) {
	list, err := j.outputs()
	if err != nil {
		return nil, err
	}
	rep := j.o.Events.Start(event.StageVerify, "simulation", "")
	o.Seen = rep.Counter(len(indices))
	return measurement.Simulate(ctx, sim, j.pool, j.data, indices, list, o)
}
