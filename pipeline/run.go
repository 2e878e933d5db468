package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/delivery"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/finetune"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/selection"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// Run does everything that is not done yet: import, calibrate, train once, and per target search, export and verify.
// It returns what it has even with a MismatchError, so that a report can show it.
func Run(ctx context.Context, o Options) (r *Result, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o, err = locate(o); err != nil {
		return nil, err
	}
	if o.SearchOnly {
		if err := checkTrained(o.Workspace); err != nil {
			return nil, err
		}
	}
	if err := checkRuntime(o.OnnxRuntime); err != nil {
		return nil, err
	}
	s, c, err := openLocked(o)
	if err != nil {
		return nil, err
	}
	defer func() { s.leave(err) }()
	return stages(ctx, s.env, c)
}

// stages runs one stage after the other, each on what those before have left.
func stages(ctx context.Context, e *stage.Env, c call) (*Result, error) {
	net, splits, err := inputs(ctx, e, c)
	if err != nil {
		return nil, err
	}
	defer func() { _ = splits.Close() }() // only read
	// Targets of the float plan, whose layers and widths are those of the calibrated one, are refused before anything
	// of an earlier training is given up.
	if !c.Float {
		if _, _, err := selection.Targets(net.Plan, c.SearchOptions); err != nil {
			return nil, err
		}
	}
	if err := checkNames(e, c.Options); err != nil {
		return nil, err
	}
	cal, err := calibrated(ctx, e, net, splits, c)
	if err != nil {
		return nil, err
	}
	if c.Float {
		return floatStages(ctx, e, cal, splits, c)
	}
	if e.Keep {
		if err := serves(e, cal.Plan, c.Options); err != nil {
			return nil, err
		}
	}
	targets, plan, err := selection.Targets(cal.Plan, c.SearchOptions)
	if err != nil {
		return nil, err
	}
	sup, err := training.Run(ctx, e, cal, splits, c.training(targets, plan))
	if err != nil {
		return nil, err
	}
	scorers := evaluation.NewScorers(e, sup, splits, export.Named(c.Profiles[0]), c.ScoreOptions)
	defer scorers.Close()
	find := func(t quantize.Target) (*selection.Found, error) {
		o := selection.Options{SearchOptions: c.SearchOptions, Profile: export.Named(c.Profiles[0]), Tunes: c.Polish != nil}
		found, err := selection.Run(ctx, e, sup, scorers, plan, t, o)
		if c.Polishes() {
			scorers.Close() // training a policy alone needs the memory; they open again for the next target
		}
		return found, err
	}
	return results(ctx, e, sup, splits, plan, targets, find, c)
}

// results finds and delivers the policies of targets, those that do not verify included. The plan says what is
// feasible.
func results(ctx context.Context, e *stage.Env, sup *supernet.Supernet, splits *samples.Samples, plan *quantize.Plan, targets []quantize.Target,
	find func(quantize.Target) (*selection.Found, error), c call,
) (*Result, error) {
	base, err := evaluation.Float(ctx, e, sup.Network, splits)
	if err != nil {
		return nil, stage.Wrap(event.StageEval, err)
	}
	sample := delivery.Sample{Samples: splits, Float: base}
	r := newResult(e, sup, sample, c)
	var mismatch error
	for _, t := range targets {
		found, err := find(t)
		if err != nil {
			return nil, err
		}
		row, err := delivery.Run(ctx, e, sup, sample, found, c.delivery())
		if err != nil && !errors.As(err, new(*MismatchError)) {
			return nil, err
		}
		mismatch = errors.Join(mismatch, err)
		lo, hi := t.Feasible(plan)
		row.Feasible = [2]float64{lo, hi}
		r.Results = append(r.Results, row)
	}
	r.Seconds = *e.Seconds
	return r, mismatch
}

// newResult is a result without targets: the supernet and the float model.
func newResult(e *stage.Env, sup *supernet.Supernet, s delivery.Sample, c call) *Result {
	m := e.Workspace.Manifest
	return &Result{
		Model: m.Model.Path, Data: m.Data.Path, Seed: e.Seed, Fingerprint: sup.Stamp,
		Float:     record.FloatMetric{Top1: s.Float.Top1(), Loss: s.Float.Tally.MeanLoss()},
		Workspace: e.Workspace.Dir(), Events: c.Events,
	}
}

// floatStages trains the float model on and delivers it: what the recipe gains by training alone.
func floatStages(ctx context.Context, e *stage.Env, cal *calibration.Calibrated, splits *samples.Samples, c call) (*Result, error) {
	if c.SearchOnly || len(c.Targets)+len(c.Pins)+len(c.Caps) > 0 || c.Policy != "" || c.Polishes() {
		return nil, fmt.Errorf("%w: workspace %s was trained in float and has nothing to search or to polish; --bits LIST --retrain trains with quantizers",
			ErrUsage, e.Workspace.Dir())
	}
	sup, err := training.Run(ctx, e, cal, splits, c.training(nil, cal.Plan))
	if err != nil {
		return nil, err
	}
	base, err := evaluation.Float(ctx, e, sup.Network, splits)
	if err != nil {
		return nil, stage.Wrap(event.StageEval, err)
	}
	sample := delivery.Sample{Samples: splits, Float: base}
	r := newResult(e, sup, sample, c)
	row, err := delivery.Float(ctx, e, sup, sample, c.delivery())
	if row != nil {
		r.Results = []TargetResult{*row}
	}
	r.Seconds = *e.Seconds
	return r, err
}

// training are the options of the training stage. Where paths are drawn near some policies, targets below those are
// named.
func (c *call) training(targets []quantize.Target, plan *quantize.Plan) training.Options {
	return training.Options{
		TrainingOptions: c.TrainingOptions, RoundingOptions: c.RoundingOptions, Other: c.other, Tunes: c.Polishes(),
		Guided: func(narrowest quantize.Policy, rep *event.Reporter) error {
			below, err := selection.Below(targets, plan, narrowest)
			for _, t := range below {
				rep.Warning(fmt.Sprintf("the calibrated network knows next to nothing at %s, so hardly any path that is trained is as narrow; --sampling tilted trains such paths, at the cost of all others", t.Text))
			}
			return err
		},
	}
}

// delivery are the options of delivery.
func (c *call) delivery() delivery.Options {
	return delivery.Options{
		ExportOptions: c.ExportOptions, NormOptions: c.NormOptions, VerifyOptions: c.VerifyOptions,
		Finetune: finetune.Options{
			FinetuneOptions: c.FinetuneOptions, TrainingOptions: c.asked, Rate: c.stated.LearningRate, NormOptions: c.NormOptions, Profile: export.Named(c.Profiles[0]),
		},
	}
}

// inputs imports the model and opens the samples. What the workspace says of a training stays.
func inputs(ctx context.Context, e *stage.Env, c call) (*network.Network, *samples.Samples, error) {
	if err := checkMachine(e, c.Options); err != nil {
		return nil, nil, err
	}
	if err := checkCall(e, c); err != nil {
		return nil, nil, err
	}
	if _, err := samples.Locate(c.Data); err != nil {
		return nil, nil, err
	}
	net, err := importModel(ctx, e, c)
	if err != nil {
		return nil, nil, err
	}
	if net.Blocked != nil {
		return nil, nil, fmt.Errorf("compress %s: %w", e.Workspace.Manifest.Model.Path, net.Blocked)
	}
	splits, err := openSamples(e, net, c.Options)
	if err != nil {
		return nil, nil, stage.Wrap(event.StageData, err)
	}
	if err = stage.Wrap(event.StageData, splits.Accept(ctx, e, c.CalibrateSamples)); err == nil {
		// The estimate takes seconds and only reads, so that it may be left behind when ctx ends.
		_, err = par.Await(ctx, func() (struct{}, error) { return struct{}{}, checkMemory(e, net, splits, &c) })
	}
	if err != nil {
		return nil, nil, errors.Join(err, splits.Close())
	}
	return net, splits, nil
}

// openSamples opens the training and the test split for a network.
func openSamples(e *stage.Env, net *network.Network, o Options) (*samples.Samples, error) {
	if err := network.CheckKinds(net.Kinds, net.Core); err != nil {
		return nil, err
	}
	m := samples.Model{Model: net.Core, Kinds: net.Kinds, Features: net.Partition.HoldsLayers()}
	return samples.Open(e, m, o.ModelOptions, o.DataOptions)
}

// calibrated records what this call does, and calibrates. A supernet that stays keeps the record of how it was trained;
// one that goes is no longer a finished one from here on, since what it was calibrated with goes first.
func calibrated(ctx context.Context, e *stage.Env, net *network.Network, splits *samples.Samples, c call) (*calibration.Calibrated, error) {
	m := &e.Workspace.Manifest
	m.Options = c.Options
	m.Options.Data, m.Options.Preprocessing = splits.Path, splits.Preprocessing // a later run finds them there
	if e.Keep {
		m.Options = m.Options.WithTraining(c.kept)
	} else if m.Stages[string(event.StageTrain)].Done {
		m.Stages[string(event.StageTrain)] = workspace.StageState{}
	}
	if err := e.Workspace.Save(); err != nil {
		return nil, err
	}
	if err := net.Record(e); err != nil {
		return nil, err
	}
	cal, err := calibration.Run(ctx, e, net, splits, c.CalibrationOptions, c.NormOptions)
	return cal, stage.Wrap(event.StageCalibrate, err)
}
