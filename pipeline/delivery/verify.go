package delivery

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
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/integer"
)

// verifier compares files of one supernet with the simulation.
type verifier struct {
	env      *stage.Env
	supernet *supernet.Supernet
	sample   Sample
	samples  int // of the test samples, whose codes are compared one by one
}

// Verify compares a file on disk with the simulation and measures both on the test samples. The simulation is built
// from arrays of the supernet and the policy; it never reads the file. Files that onnxruntime computes on integers must
// equal it, float outputs included. Of others each tensor and each output, computed from the simulation's codes, must
// lie within the tolerance of the profile, and the outputs of the whole file within its bound. Weights whose pairs
// saturate on some CPUs are an error on every CPU, for profiles whose runtimes have such kernels. A file that differs
// is a record.MismatchError; the measurement is returned, too, as far as it got.
func Verify(ctx context.Context, e *stage.Env, sup *supernet.Supernet, s Sample, f *record.File, arrays *quantize.Supernet, p quantize.Policy, o options.VerifyOptions) (*measurement.Result, error) {
	v := &verifier{e, sup, s, o.VerifySamples}
	rep := e.Start(event.StageVerify, filepath.Base(f.Path), "")
	c, err := v.reload(f, arrays, p)
	if err != nil {
		return nil, err
	}
	if missed := c.network.Uncomputed(); len(missed) > 0 {
		rep.Warning(fmt.Sprintf("outputs %s are no float32 and not compared", strings.Join(missed, ", ")))
	}
	for _, step := range []func() error{
		func() error { return c.compareCodes(ctx, v.check()) },
		func() (err error) { c.odd, err = v.checkTail(ctx, f, c.whole); return err },
		func() error { return v.measureBoth(ctx, c, rep) },
		func() error { return v.rate(ctx, c) },
	} {
		if err := step(); err != nil {
			return nil, stage.Wrap(event.StageVerify, err)
		}
		if len(c.codes.Missing) > 0 { // another network, whose outputs may not even be comparable
			return nil, c.mismatch()
		}
	}
	wrong := c.mismatch()
	f.Verified = wrong == nil
	e.Seconds.Verify += rep.Done(fmt.Sprintf("%d codes compared, %d differ", c.codes.Compared, c.codes.Different))
	if wrong != nil {
		return c.sim, wrong
	}
	if c.exact && c.sim.Tally.N < c.run.Tally.N { // the file equals the simulation, and ran on more samples
		return c.run, nil
	}
	return c.sim, nil
}

// reload reads a file back and builds what it is compared with.
func (v *verifier) reload(f *record.File, arrays *quantize.Supernet, p quantize.Policy) (*outcome, error) {
	c := &outcome{file: f}
	var err error
	if c.whole, err = LoadExported(f.Path); err != nil {
		return nil, stage.Wrap(event.StageVerify, err)
	}
	m, err := v.supernet.Network.Partition.CoreOf(c.whole)
	if err != nil {
		return nil, &record.MismatchError{Path: f.Path, First: err.Error()}
	}
	profile, err := export.ProfileOf(f.Profile)
	if err != nil {
		return nil, stage.Wrap(event.StageVerify, err)
	}
	if c.saturating, err = lint.Saturating(m, profile.Pairs); err != nil {
		return nil, stage.Wrap(event.StageVerify, err)
	}
	if c.network, err = Simulation(v.supernet, arrays, p, profile); err != nil {
		return nil, stage.Wrap(event.StageVerify, err)
	}
	if c.standard, err = export.Standard(m); err != nil { // it says something else than what was exported
		return nil, &record.MismatchError{Path: f.Path, First: err.Error()}
	}
	c.tolerance = profile.Tolerance
	c.integers = c.tolerance == 0
	c.exact = c.integers && len(c.network.Inexact()) == 0
	if c.integers && !c.exact {
		// Sigmoid and its kin have no exact result: two libraries round them differently, and a code after one may be
		// off.
		c.tolerance = 1
	}
	return c, nil
}

// Simulation builds the simulation of a policy as files of a profile compute it, from arrays of a supernet.
func Simulation(sup *supernet.Supernet, arrays *quantize.Supernet, p quantize.Policy, profile export.Profile) (*integer.Network, error) {
	n, err := integer.BuildWithOps(sup.Model, profile.Plan(sup.Model, sup.Plan), arrays, p, decode.Function)
	if err != nil {
		return nil, fmt.Errorf("build the simulation: %w", err)
	}
	return n, nil
}

// check compares on some of the test samples.
func (v *verifier) check() verification.Check {
	p, e := v.sample, v.env
	each := func(ctx context.Context, most, batch int, f func(verification.Batch) error) error {
		usable, err := p.TestIndices(ctx, e)
		if err != nil {
			return err
		}
		indices := samples.Draw(len(usable), min(most, v.samples), "verify", e.Seed)
		return p.Each(ctx, p.Test, indices, batch, func(b samples.Batch) error {
			return f(verification.Batch{X: b.X, Shape: p.BatchShape(b.N), First: b.First})
		})
	}
	return verification.Check{Dir: e.Workspace.Dir(), Threads: e.Machine.Workers(), Provider: e.Machine.Provider, Pool: e.Pool, Samples: each}
}

// checkTail checks the tail of an exported file, and notes its nodes. It returns what differs, "" if nothing does.
func (v *verifier) checkTail(ctx context.Context, f *record.File, whole *onnx.Model) (string, error) {
	net := v.supernet.Network
	if net.Partition.Tail() == nil {
		return "", nil
	}
	for _, n := range net.Partition.TailNodes() {
		f.Tail = append(f.Tail, n.Name())
	}
	odd, unrun, err := v.check().Tail(ctx, net.Partition, whole)
	if unrun != nil {
		f.TailUnrun = unrun.Error()
		v.env.Warn(event.StageVerify, "tail", "onnxruntime cannot run what stands behind "+
			strings.Join(onnx.Names(net.Core.Graph.Outputs()), ", ")+", which was compared node by node with the float model: "+f.TailUnrun)
	}
	return odd, err
}
