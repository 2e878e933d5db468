package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/delivery/verification"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// verifyVersion rises when verification asks for more, so that files are looked at again.
const verifyVersion = 5

// verifyFile compares a file on disk with the simulation and measures both on the test pictures. The simulation is
// built from the supernet and the policy; it never reads the file. Files that onnxruntime computes on integers must
// equal it, float outputs included. Of others each tensor and each output, computed from the simulation's codes, must lie
// within the tolerance of the profile, and the outputs of the whole file within its bound. Weights whose pairs saturate on some CPUs are
// an error on every CPU, for profiles whose runtimes have such kernels.
func (j *job) verifyFile(ctx context.Context, f *File, supernet *quantize.Supernet, p quantize.Policy, base *measurement.Result) (*measurement.Result, error) {
	rep := j.o.Events.Start(event.StageVerify, filepath.Base(f.Path), "")
	v, err := j.reload(f, supernet, p)
	if err != nil {
		return nil, err
	}
	if missed := v.network.Uncomputed(); len(missed) > 0 {
		rep.Warning(fmt.Sprintf("outputs %s are no float32 and not compared", strings.Join(missed, ", ")))
	}
	for _, step := range []func() error{
		func() error { return v.compareCodes(ctx, j.check()) },
		func() (err error) { v.odd, err = j.checkTail(ctx, j.check(), f, v.whole); return err },
		func() error { return j.measureBoth(ctx, v, base, rep) },
		func() error { return j.rate(ctx, v) },
	} {
		if err := step(); err != nil {
			return nil, stageError(event.StageVerify, err)
		}
		if len(v.codes.Missing) > 0 { // another network, whose outputs may not even be comparable
			return nil, v.mismatch()
		}
	}
	wrong := v.mismatch()
	f.Verified = wrong == nil
	j.seconds.Verify += rep.Done(fmt.Sprintf("%d codes compared, %d differ", v.codes.Compared, v.codes.Different))
	if wrong != nil {
		return v.sim, wrong
	}
	if v.exact && v.sim.Tally.N < v.run.Tally.N {
		return v.run, nil
	}
	return v.sim, nil
}

// reload reads a file back and builds what it is compared with.
func (j *job) reload(f *File, supernet *quantize.Supernet, p quantize.Policy) (*verified, error) {
	v := &verified{file: f}
	var err error
	if v.whole, err = loadExported(f.Path); err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	m, err := j.parts.CoreOf(v.whole)
	if err != nil {
		return nil, &MismatchError{Path: f.Path, First: err.Error()}
	}
	profile, err := export.ProfileOf(f.Profile)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	if v.saturating, err = lint.Saturating(m, profile.Pairs); err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	if v.network, err = j.network(supernet, p, profile); err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	if v.standard, err = export.Standard(m); err != nil { // it says something else than what was exported
		return nil, &MismatchError{Path: f.Path, First: err.Error()}
	}
	v.tolerance = profile.Tolerance
	v.integers = v.tolerance == 0
	v.exact = v.integers && len(v.network.Inexact()) == 0
	if v.integers && !v.exact {
		// Sigmoid and its kin have no exact result: two libraries round them differently, and a code after one may be off.
		v.tolerance = 1
	}
	return v, nil
}

// network builds the simulation of a path as files of a profile compute it.
func (j *job) network(supernet *quantize.Supernet, p quantize.Policy, profile export.Profile) (*integer.Network, error) {
	n, err := integer.BuildWith(j.model, profile.Plan(j.model, j.plan), supernet, p, decode.Function)
	if err != nil {
		return nil, fmt.Errorf("build the simulation: %w", err)
	}
	return n, nil
}

// rate measures the speed of a file that onnxruntime is the runtime of. How fast it runs others says nothing.
func (j *job) rate(ctx context.Context, v *verified) (err error) {
	if v.integers {
		v.file.FloatImagesPerS, v.file.ImagesPerS, err = j.compareSpeed(ctx, v.file.Path)
	}
	return err
}

// compareSpeed is the rate of the float model and of a file.
func (j *job) compareSpeed(ctx context.Context, path string) (float, file float64, err error) {
	data, remove, err := j.exportedDocument(path)
	if err != nil {
		return 0, 0, err
	}
	defer remove()
	model, err := j.floatDocument()
	if err != nil {
		return 0, 0, err
	}
	return j.speed(ctx, model, data)
}

// speed compares two models on a batch of training pictures.
func (j *job) speed(ctx context.Context, a, b session.Document) (rateA, rateB float64, err error) {
	var x []float32
	n := min(measurement.Batch, j.data.Train.Len())
	err = j.data.Each(ctx, j.data.Train, pictures.All(n), n, func(b pictures.Batch) error {
		x = append(x, b.X...)
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	return session.Speed(ctx, a, b, j.o.Provider, x, j.data.BatchShape(n))
}

// check compares on VerifySamples test pictures.
func (j *job) check() verification.Check {
	each := func(ctx context.Context, most, batch int, f func(verification.Batch) error) error {
		if err := j.checkTest(ctx); err != nil {
			return err
		}
		indices := pictures.Draw(j.data.Test.Len(), min(most, j.o.VerifySamples), "verify", *j.o.Seed)
		return j.data.Each(ctx, j.data.Test, indices, batch, func(b pictures.Batch) error {
			return f(verification.Batch{X: b.X, Shape: j.data.BatchShape(b.N), First: b.First})
		})
	}
	return verification.Check{Dir: j.w.Dir(), Threads: j.o.Workers(), Provider: j.o.Provider, Pool: j.pool, Pictures: each}
}

// checkTail checks what stands behind the core of an exported file, and notes what that is. It returns what differs, "" if nothing
// does.
func (j *job) checkTail(ctx context.Context, check verification.Check, f *File, whole *onnx.Model) (string, error) {
	if j.parts.Tail() == nil {
		return "", nil
	}
	for _, n := range j.parts.TailNodes() {
		f.Tail = append(f.Tail, n.Name())
	}
	odd, unrun, err := check.Tail(ctx, j.parts, whole)
	if unrun != nil {
		f.TailUnrun = unrun.Error()
		j.o.Events.Start(event.StageVerify, "tail", "").Warning("onnxruntime cannot run what stands behind " +
			strings.Join(onnx.Names(j.parts.Core.Graph.Outputs()), ", ") + ", which was compared node by node with the float model: " + f.TailUnrun)
	}
	return odd, err
}
