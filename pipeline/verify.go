package pipeline

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/measurement"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/session"
	"github.com/mpqc/mpqc/pipeline/verification"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// MismatchError says that an exported file does not compute what the simulation does.
type MismatchError struct {
	Path      string
	First     string // the first code that rounding does not explain, in graph order
	Different int64
	Compared  int64
	// Output is the element of a float output that is farthest from the simulation's, where one lies beyond the tolerance.
	Output  *export.OutputDivergence
	Missing []string // tensors that only one side has
}

// Error names the file, how many codes differ, the first that does, and the output that is wrong.
func (e *MismatchError) Error() string {
	text := "verify " + e.Path + ": "
	switch {
	case e.Different > 0:
		text += fmt.Sprintf("%d of %d codes differ from the simulation", e.Different, e.Compared)
	case e.Compared > 0:
		text += fmt.Sprintf("all %d codes are those of the simulation", e.Compared)
	default:
		text += "it differs from the simulation"
	}
	if e.First != "" {
		text += "; first " + e.First
	}
	if e.Output != nil {
		text += "; " + e.Output.String()
	}
	if len(e.Missing) > 0 {
		text += "; cannot compare " + strings.Join(e.Missing, ", ")
	}
	return text
}

// verifyVersion rises when verification asks for more, so that files are looked at again.
const verifyVersion = 4

// verifyFile compares a file on disk with the simulation and measures both on the test pictures. The simulation is
// built from the supernet and the policy; it never reads the file. Files that onnxruntime computes on integers must
// equal it, float outputs included; of others each tensor and each output, computed from the simulation's codes, must lie
// within the tolerance of the profile.
func (j *job) verifyFile(ctx context.Context, f *File, supernet *quantize.Supernet, p quantize.Policy, base *measurement.Result) (*measurement.Result, error) {
	rep := j.o.Events.Start(event.StageVerify, filepath.Base(f.Path), "")
	whole, err := loadExported(f.Path)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	m, err := j.parts.CoreOf(whole)
	if err != nil {
		return nil, &MismatchError{Path: f.Path, First: err.Error()}
	}
	network, err := j.network(supernet, p, f.Profile)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	standard, err := export.Standard(m)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	tolerance, err := export.Tolerance(f.Profile)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	if missed := network.Uncomputed(); len(missed) > 0 {
		rep.Warning(fmt.Sprintf("outputs %s are no float32 and not compared", strings.Join(missed, ", ")))
	}
	check := j.check()
	compare, within := check.Codes, 0.0
	exact := tolerance == 0
	if exact && len(network.Inexact()) > 0 {
		// Sigmoid and its kin have no exact result: two libraries round them differently, and a code after one may be off.
		tolerance = 1
	}
	if tolerance > 0 {
		compare, within = loose(check, exact), export.OutputTolerance
	}
	codes, err := compare(ctx, standard, network)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	f.CodesCompared, f.CodesDifferent, f.MaxCodeDiff = codes.Compared, codes.Different, codes.MaxCode
	if len(codes.Missing) > 0 { // another network, whose outputs may not even be comparable
		return nil, newMismatch(f.Path, codes, nil, nil)
	}
	odd, err := j.checkTail(ctx, check, f, whole)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	run, sim, err := j.measureBoth(ctx, standard, network, base, rep)
	if err != nil {
		return nil, stageError(event.StageVerify, err)
	}
	f.Top1 = run.Top1()
	if exact { // other files are not for onnxruntime, and how fast it runs them says nothing
		if f.FloatImagesPerS, f.ImagesPerS, err = j.compareSpeed(ctx, f.Path); err != nil {
			return nil, stageError(event.StageVerify, err)
		}
	}
	f.PicturesCompared = sim.Tally.N
	outputs := wholeFile(sim, run)
	_, f.Flips = sim.Outputs.Agreement(sim.Logits, run.Logits[:min(len(sim.Logits), len(run.Logits))], sim.Tally.N)
	f.MaxAbsDiff = min(outputs.MaxAbsDiff, math.MaxFloat64) // JSON has no infinity
	wrong := codes.Astray(within)
	if tolerance == 0 && wrong == nil {
		wrong = outputs.Astray(0)
	}
	code := codes.Wrong(tolerance)
	f.Verified = codes.Compared > 0 && code == nil && wrong == nil && len(outputs.Missing) == 0
	j.seconds.Verify += rep.Done(fmt.Sprintf("%d codes compared, %d differ", codes.Compared, codes.Different))
	if !f.Verified {
		return sim, newMismatch(f.Path, codes, code, wrong)
	}
	if odd != "" {
		f.Verified = false
		return sim, &MismatchError{Path: f.Path, Compared: codes.Compared, First: odd}
	}
	if exact && sim.Tally.N < run.Tally.N {
		return run, nil
	}
	return sim, nil
}

// loose is the comparison of a file that need not equal the simulation: exact says that its profile's files do where they can.
func loose(c verification.Check, exact bool) func(context.Context, *onnx.Model, *integer.Network) (export.Comparison, error) {
	if exact {
		return c.Either
	}
	return c.Given
}

// network builds the simulation of a path as files of a profile compute it.
func (j *job) network(supernet *quantize.Supernet, p quantize.Policy, profile string) (*integer.Network, error) {
	plan, err := export.For(j.model, j.plan, profile)
	if err != nil {
		return nil, err
	}
	n, err := integer.BuildWith(j.model, plan, supernet, p, decode.Function)
	if err != nil {
		return nil, fmt.Errorf("build the simulation: %w", err)
	}
	return n, nil
}

// wholeFile compares the outputs of the file as it is with the simulation's, on the test pictures that both have seen.
func wholeFile(sim, run *measurement.Result) export.Comparison {
	n := sim.Tally.N
	return export.Compare(nil, sim.Outputs.Compared(sim.Logits, n), run.Outputs.Compared(run.Logits, n))
}

// measureBoth runs the file in the runtime and the simulation over the test pictures.
func (j *job) measureBoth(ctx context.Context, m *onnx.Model, network *integer.Network, base *measurement.Result, rep *event.Reporter) (run, sim *measurement.Result, err error) {
	model, remove, err := j.document(m)
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	indices, err := j.testIndices(ctx)
	if err != nil {
		return nil, nil, err
	}
	compared := measurement.Options{Keep: true, Against: measurement.Kept(base.Logits, base.Tally.N)}
	if run, err = j.measure(ctx, model, indices, compared, rep); err != nil {
		return nil, nil, err
	}
	sim, err = j.simulate(ctx, network, indices, compared)
	return run, sim, err
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

func newMismatch(path string, c export.Comparison, code *export.Divergence, output *export.OutputDivergence) *MismatchError {
	e := &MismatchError{Path: path, Different: c.Different, Compared: c.Compared, Output: output, Missing: c.Missing}
	if code != nil {
		e.First = code.String()
	}
	return e
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
