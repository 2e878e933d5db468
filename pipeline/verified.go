package pipeline

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/delivery/verification"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize/integer"
)

// verified is one comparison of a file with the simulation.
type verified struct {
	file      *File
	whole     *onnx.Model // as it was read back
	standard  *onnx.Model // its core in operators that onnxruntime has
	network   *integer.Network
	integers  bool // onnxruntime computes the profile's files on integers as the simulation does
	exact     bool // and nothing else, so that both must be equal
	tolerance int  // of codes

	codes      comparison.Comparison // on VerifySamples pictures
	odd        string                // what differs behind the core, "" if nothing does
	run, sim   *measurement.Result
	outputs    comparison.Comparison // of the whole file
	beyond     string                // how it lies outside of the bound, "" if it does not
	saturating []string              // layers
}

// compareCodes compares every code on some of the pictures.
func (v *verified) compareCodes(ctx context.Context, check verification.Check) (err error) {
	switch {
	case v.exact:
		v.codes, err = check.Codes(ctx, v.standard, v.network)
	case v.integers:
		v.codes, err = check.Either(ctx, v.standard, v.network)
	default:
		v.codes, err = check.Given(ctx, v.standard, v.network)
	}
	if err == nil && !v.exact {
		err = check.Ties(ctx, v.standard, v.network, &v.codes)
	}
	v.file.CodesCompared, v.file.CodesDifferent, v.file.MaxCodeDiff = v.codes.Compared, v.codes.Different, v.codes.MaxCode
	return err
}

// within is how far float outputs that are computed from the simulation's codes may be off.
func (v *verified) within() float64 {
	if v.tolerance > 0 {
		return comparison.OutputTolerance
	}
	return 0
}

// mismatch is what differs, nil if nothing does that the profile does not allow.
func (v *verified) mismatch() *MismatchError {
	e := &MismatchError{
		Path: v.file.Path, Different: v.codes.Different, Compared: v.codes.Compared, Missing: v.codes.Missing,
		Output: v.codes.Astray(v.within()), Whole: v.beyond, Saturating: v.saturating,
	}
	if code := v.codes.Wrong(v.tolerance); code != nil {
		e.First = code.String()
	}
	if e.Output == nil && v.exact {
		e.Output = v.outputs.Astray(0)
	}
	if e.Missing == nil {
		e.Missing = v.outputs.Missing
	}
	good := e.Compared > 0 && e.First == "" && e.Output == nil && e.Whole == "" && len(e.Missing)+len(e.Saturating) == 0
	switch {
	case !good:
		return e
	case v.odd != "":
		return &MismatchError{Path: e.Path, Compared: e.Compared, First: v.odd}
	default:
		return nil
	}
}

// measureBoth runs the whole file in the runtime over the test pictures, and the simulation over as many of them as it
// has time for, and compares the outputs.
func (j *job) measureBoth(ctx context.Context, v *verified, base *measurement.Result, rep *event.Reporter) error {
	model, remove, err := j.document(v.standard)
	if err != nil {
		return err
	}
	defer remove()
	profile := export.Named(v.file.Profile)
	v.file.ComputedBy = computedBy(profile)
	indices, err := j.testIndices(ctx)
	if err != nil {
		return err
	}
	o := measurement.Options{Keep: true, Against: measurement.Kept(base.Logits, base.Tally.N)}
	if v.run, err = j.measure(ctx, model.Exactly(profile.Exact()), indices, o, rep); err != nil {
		return err
	}
	v.file.Top1 = v.run.Top1()
	at := measurement.Sample(len(indices), j.plan.MACs(), j.o.VerifySamples)
	float := measurement.Pick(base.Logits, base.Tally.N, at)
	chosen := make([]int, len(at))
	for i, k := range at {
		chosen[i] = indices[k]
	}
	o.Against = measurement.Kept(float, len(at))
	if v.sim, err = j.simulate(ctx, v.network, chosen, o); err != nil {
		return err
	}
	v.compareOutputs(measurement.Pick(v.run.Logits, v.run.Tally.N, at), float)
	return nil
}

// computedBy says what computed a file of a profile for its verification, in words.
func computedBy(p export.Profile) string {
	text := "onnxruntime " + ort.Version()
	if p.Exact() {
		text += " with exact integer arithmetic"
	}
	if p.Runtime != "onnxruntime" {
		text += ", in place of " + p.Runtime
	}
	return text
}

// compareOutputs compares the outputs of the whole file with the simulation's and, to tell what that means, the
// simulation's with the float model's. All are rows for the pictures that were simulated.
func (v *verified) compareOutputs(run, float []float32) {
	f, list, n := v.file, v.sim.Outputs, v.sim.Tally.N
	f.PicturesCompared = n
	v.outputs = comparison.Of(nil, list.Compared(v.sim.Logits, n), v.run.Outputs.Compared(run, n))
	f.MaxAbsDiff = min(v.outputs.MaxAbsDiff, math.MaxFloat64) // JSON has no infinity
	if len(v.outputs.Missing) > 0 {
		return
	}
	_, f.Flips = list.Agreement(v.sim.Logits, run, n)
	f.Outputs = list.Fidelity(v.sim.Logits, run, n)
	v.beyond = beyond(f, v.run.Outputs, list.Fidelity(float, v.sim.Logits, n), 1-v.sim.Agreement)
}

// beyond says how a file lies outside of the bound, "" if it does not. quantized is how near the simulation is to the float model, and
// changed the share of its predictions that are others.
func beyond(f *File, list metric.Outputs, quantized []metric.Fidelity, changed float64) string {
	bound, n := export.Named(f.Profile).Bound(), float64(f.PicturesCompared)
	for k, o := range f.Outputs {
		// Twice the amplitude is 6 dB.
		if o.SNR < bound.SNR && o.SNR < quantized[k].SNR+6 {
			return fmt.Sprintf("output %q of the whole file is %.1f dB from the simulation's, which is %.1f dB from the float model's (computed by %s)",
				o.Name, o.SNR, quantized[k].SNR, f.ComputedBy)
		}
	}
	if most := max(bound.Flips, changed/2); list.Predicting() >= 0 && float64(f.Flips) > math.Ceil(most*n)+1 {
		return fmt.Sprintf("%d of %d predictions of the whole file are not the simulation's (computed by %s)", f.Flips, f.PicturesCompared, f.ComputedBy)
	}
	return ""
}
