package delivery

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
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/quantize/integer"
)

// rules say how near a file must be to the simulation.
type rules struct {
	integers  bool // onnxruntime computes the profile's files on integers as the simulation does
	exact     bool // and nothing else, so that both must be equal
	tolerance int  // of codes
}

// subject is what is compared.
type subject struct {
	whole      *onnx.Model // as it was read back
	standard   *onnx.Model // its core in operators that onnxruntime has
	network    *integer.Network
	saturating []string // layers
}

// outcome is that of a comparison of a file with the simulation.
type outcome struct {
	file *record.File
	subject
	rules

	codes    comparison.Comparison // on some of the samples
	odd      string                // what differs behind the core, "" if nothing does
	run, sim *measurement.Result
	outputs  comparison.Comparison // of the whole file
	beyond   string                // how it lies outside of the bound, "" if it does not
}

// compareCodes compares every code on some of the samples.
func (c *outcome) compareCodes(ctx context.Context, check verification.Check) (err error) {
	switch {
	case c.exact:
		c.codes, err = check.Codes(ctx, c.standard, c.network)
	case c.integers:
		c.codes, err = check.Either(ctx, c.standard, c.network)
	default:
		c.codes, err = check.Given(ctx, c.standard, c.network)
	}
	if err == nil && !c.exact {
		err = check.Ties(ctx, c.standard, c.network, &c.codes)
	}
	c.file.CodesCompared, c.file.CodesDifferent, c.file.MaxCodeDiff = c.codes.Compared, c.codes.Different, c.codes.MaxCode
	return err
}

// within is how far float outputs that are computed from the simulation's codes may be off.
func (c *outcome) within() float64 {
	if c.tolerance > 0 {
		return comparison.OutputTolerance
	}
	return 0
}

// mismatch is what differs, nil if nothing does that the profile does not allow.
func (c *outcome) mismatch() *record.MismatchError {
	e := &record.MismatchError{
		Path: c.file.Path, Different: c.codes.Different, Compared: c.codes.Compared, Missing: c.codes.Missing,
		Output: c.codes.Astray(c.within()), Whole: c.beyond, Saturating: c.saturating,
	}
	if code := c.codes.Wrong(c.tolerance); code != nil {
		e.First = code.String()
	}
	if e.Output == nil && c.exact {
		e.Output = c.outputs.Astray(0)
	}
	if e.Missing == nil {
		e.Missing = c.outputs.Missing
	}
	good := e.Compared > 0 && e.First == "" && e.Output == nil && e.Whole == "" && len(e.Missing)+len(e.Saturating) == 0
	switch {
	case !good:
		return e
	case c.odd != "":
		return &record.MismatchError{Path: e.Path, Compared: e.Compared, First: c.odd}
	default:
		return nil
	}
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
// simulation's with the float model's. All are rows for the samples that were simulated.
func (c *outcome) compareOutputs(run, float []float32) {
	f, list, n := c.file, c.sim.Outputs, c.sim.Tally.N
	f.SamplesCompared = n
	c.outputs = comparison.Of(nil, list.Compared(c.sim.Logits, n), c.run.Outputs.Compared(run, n))
	f.MaxAbsDiff = min(c.outputs.MaxAbsDiff, math.MaxFloat64) // JSON has no infinity
	if len(c.outputs.Missing) > 0 {
		return
	}
	_, f.Flips = list.Agreement(c.sim.Logits, run, n)
	f.Outputs = list.Fidelity(c.sim.Logits, run, n)
	c.beyond = beyond(f, c.run.Outputs, list.Fidelity(float, c.sim.Logits, n), 1-c.sim.Agreement)
}

// beyond says how a file lies outside of the bound, "" if it does not. quantized is how near the simulation is to the
// float model, and changed the share of its predictions that are others.
func beyond(f *record.File, list metric.Outputs, quantized []metric.Fidelity, changed float64) string {
	bound, n := export.Named(f.Profile).Bound(), float64(f.SamplesCompared)
	for k, o := range f.Outputs {
		// Twice the amplitude is 6 dB.
		if o.SNR < bound.SNR && o.SNR < quantized[k].SNR+6 {
			return fmt.Sprintf("output %q of the whole file is %.1f dB from the simulation's, which is %.1f dB from the float model's (computed by %s)",
				o.Name, o.SNR, quantized[k].SNR, f.ComputedBy)
		}
	}
	if most := max(bound.Flips, changed/2); list.Predicting() >= 0 && float64(f.Flips) > math.Ceil(most*n)+1 {
		return fmt.Sprintf("%d of %d predictions of the whole file are not the simulation's (computed by %s)", f.Flips, f.SamplesCompared, f.ComputedBy)
	}
	return ""
}
