package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// MismatchError says that an exported file does not compute what the simulation does.
type MismatchError struct {
	Path      string
	First     string // the first code that differs, in graph order
	Different int64
	Compared  int64
	Missing   []string // tensors that only one side has
}

// Error names the file, how many codes differ, and the first that does.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf("verify %s: %d of %d codes differ from the simulation", e.Path, e.Different, e.Compared)
	if e.First != "" {
		text += "; first " + e.First
	}
	if len(e.Missing) > 0 {
		text += "; cannot compare " + strings.Join(e.Missing, ", ")
	}
	return text
}

// verifyFile compares a file on disk with the simulation and measures both on the test pictures. The simulation is
// built from the supernet and the policy; it never reads the file. Files that onnxruntime computes on integers must
// equal it; of others each tensor, computed from the simulation's codes, must lie within the tolerance of the profile.
func (j *job) verifyFile(ctx context.Context, f *File, supernet *quantize.Supernet, p quantize.Policy, base *reference) (*reference, error) {
	rep := j.o.Events.start(StageVerify, filepath.Base(f.Path), "")
	whole, err := loadExported(f.Path)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	m, err := j.tail.coreOf(whole)
	if err != nil {
		return nil, &MismatchError{Path: f.Path, First: err.Error()}
	}
	network, err := j.network(supernet, p, f.Profile)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	standard, err := export.Standard(m)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	tolerance, err := export.Tolerance(f.Profile)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	compare := j.compareCodes
	exact := tolerance == 0
	if exact && len(network.Inexact()) > 0 {
		// Sigmoid and its kin have no exact result: two libraries round them differently, and a code after one may be off.
		tolerance = 1
	}
	if tolerance > 0 {
		compare = j.compareGiven
	}
	codes, err := compare(ctx, standard, network)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	f.CodesCompared, f.CodesDifferent, f.MaxCodeDiff = codes.Compared, codes.Different, codes.MaxCode
	f.Verified = codes.Within(tolerance) && codes.Compared > 0
	odd, err := j.checkTail(ctx, f, whole)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	run, sim, err := j.measureBoth(ctx, standard, network, base, rep)
	if err != nil {
		return nil, stageError(StageVerify, err)
	}
	f.Top1 = run.top1()
	if exact { // other files are not for onnxruntime, and how fast it runs them says nothing
		if f.FloatImagesPerS, f.ImagesPerS, err = j.compareSpeed(ctx, f.Path); err != nil {
			return nil, stageError(StageVerify, err)
		}
	}
	f.PicturesCompared = sim.tally.n
	_, f.Flips = agreement(sim.logits, run.logits[:len(sim.logits)], sim.tally.n)
	f.MaxAbsDiff = maxAbsDiff(sim.logits, run.logits[:len(sim.logits)])
	j.seconds.Verify += rep.done(fmt.Sprintf("%d codes compared, %d differ", codes.Compared, codes.Different))
	if !f.Verified {
		return sim, newMismatch(f.Path, codes)
	}
	if odd != "" {
		f.Verified = false
		return sim, &MismatchError{Path: f.Path, Compared: codes.Compared, First: odd}
	}
	if exact && sim.tally.n < run.tally.n {
		return run, nil
	}
	return sim, nil
}

// measureBoth runs the file in the runtime and the simulation over the test pictures.
func (j *job) measureBoth(ctx context.Context, m *onnx.Model, network *integer.Network, base *reference, rep *reporter) (run, sim *reference, err error) {
	data, err := m.Marshal()
	if err != nil {
		return nil, nil, err
	}
	indices, err := j.testIndices(ctx)
	if err != nil {
		return nil, nil, err
	}
	if run, err = j.measure(ctx, document{data: data}, j.data.test, indices, base.logits, rep); err != nil {
		return nil, nil, err
	}
	sim, err = j.simulate(ctx, network, j.data.test, indices, base.logits)
	return run, sim, err
}

// compareSpeed is the rate of the float model and of a file.
func (j *job) compareSpeed(ctx context.Context, path string) (float, file float64, err error) {
	data, err := j.exportedDocument(path)
	if err != nil {
		return 0, 0, err
	}
	model, err := j.floatDocument()
	if err != nil {
		return 0, 0, err
	}
	return j.speed(ctx, model, data)
}

func newMismatch(path string, c export.Comparison) *MismatchError {
	e := &MismatchError{Path: path, Different: c.Different, Compared: c.Compared, Missing: c.Missing}
	if c.First != nil {
		e.First = c.First.String()
	}
	return e
}
