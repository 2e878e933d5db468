package delivery

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/delivery/verification"
	"github.com/mpqc/mpqc/pipeline/evaluation"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/train"
)

// FloatKey is what decides the measurement of a trained float model with a hash.
func FloatKey(e *stage.Env, p *samples.Samples, sum string, v options.VerifyOptions) stage.Key {
	return evaluation.TestKey(e, p, []any{v}, "float file", verification.Version, sum)
}

// Float writes, checks and measures a float model that was trained on.
func Float(ctx context.Context, e *stage.Env, sup *supernet.Supernet, s Sample, o Options) (*record.TargetResult, error) {
	d := &desk{e, sup, s, o}
	p := sup.Plan.Max()
	arrays := sup.Arrays
	if sup.Trained {
		var err error
		if arrays, err = sup.Reestimate(ctx, e, p, record.FloatTarget, d.first(), o.NormOptions); err != nil {
			return nil, stage.Wrap("batch norm", err)
		}
	}
	m, err := floatModel(sup, arrays, p)
	if err != nil {
		return nil, stage.Wrap(event.StageExport, err)
	}
	f := record.File{Profile: record.FloatTarget, Path: e.Workspace.Path("out", ModelName(e)+"-float.onnx")}
	if err := d.saveFloat(m, "out/"+filepath.Base(f.Path)); err != nil {
		return nil, stage.Wrap(event.StageExport, err)
	}
	if err := describe(ctx, &f); err != nil {
		return nil, err
	}
	model, remove, err := session.Of(m, e.Workspace.Dir())
	if err != nil {
		return nil, stage.Wrap(event.StageExport, err)
	}
	defer remove()
	row := floatRow(sup.Plan, p)
	out, err := stage.Measured(e, event.StageVerify, "scores/float.json", FloatKey(e, s.Samples, f.SHA256, o.VerifyOptions), sup.Plan, func() (record.Delivered, error) {
		metric, err := d.measureFloat(ctx, &f, model, arrays)
		return record.Delivered{File: f, Metric: metric}, err
	})
	out.File.Path = f.Path // the workspace may have moved
	row.Metric, row.Files, row.Uniform.Top1 = out.Metric, []record.File{out.File}, out.Metric.Top1
	return row, err
}

// saveFloat writes a float model with the tail behind it, and where that begins.
func (d *desk) saveFloat(m *onnx.Model, name string) error {
	whole, err := d.supernet.Network.Partition.Append(m)
	if err != nil {
		return err
	}
	if d.supernet.Network.Partition.Tail() != nil {
		if err := metadata.SetCut(whole, m.Graph.Outputs()); err != nil {
			return err
		}
	}
	if whole, err = whole.Outward(); err != nil {
		return err
	}
	return d.env.SaveModel(name, whole)
}

// floatRow describes the float model in the columns of a target.
func floatRow(plan *quantize.Plan, p quantize.Policy) *record.TargetResult {
	row := &record.TargetResult{
		Target: record.FloatTarget, Feasible: [2]float64{record.FloatBits, record.FloatBits}, Unit: "bit",
		AvgWeightBits: record.FloatBits, AvgActivationBits: record.FloatBits, PackedBytes: plan.FloatRest, Policy: record.PolicyRows(plan, p), Files: []record.File{},
	}
	for i, l := range plan.Layers {
		row.Policy[i].W, row.Policy[i].A = record.FloatBits, record.FloatBits
		row.BitOPs += record.FloatBits * record.FloatBits * l.MACs
		row.PackedBytes += record.FloatBits / 8 * l.Params
	}
	row.Uniform = record.Uniform{Bits: record.FloatBits, BitOPs: row.BitOPs}
	return row
}

// floatModel is the calibrated model with the weights and norms of the supernet.
func floatModel(sup *supernet.Supernet, s *quantize.Supernet, p quantize.Policy) (*onnx.Model, error) {
	m := sup.Model.Clone()
	for i, l := range sup.Plan.Layers {
		w, a := sup.Plan.Bits(p, i)
		arrays := map[string]string{l.Weight: quantize.WeightName(l.Node)}
		if l.Norm != "" {
			norm := m.Graph.Node(l.Norm)
			for k, part := range []string{"gamma", "beta", "mean", "var"} {
				arrays[norm.Inputs()[1+k].Name()] = quantize.NormName(l.Node, w, a, part)
			}
		} else if l.Bias != "" {
			arrays[l.Bias] = quantize.BiasName(l.Node)
		}
		for value, name := range arrays {
			if err := replaceConstant(m, value, s, name); err != nil {
				return nil, fmt.Errorf("layer %s: %w", l.Node, err)
			}
		}
		if l.Norm != "" && l.Bias != "" {
			// The engine moves the bias of a layer with a norm into the norm's mean.
			if err := zeroConstant(m, l.Bias); err != nil {
				return nil, fmt.Errorf("layer %s: %w", l.Node, err)
			}
		}
	}
	return m, nil
}

func replaceConstant(m *onnx.Model, value string, s *quantize.Supernet, name string) error {
	data, err := s.Get(name)
	if err != nil {
		return err
	}
	v := m.Graph.Value(value)
	if v == nil || v.Const() == nil || v.Const().Shape.Numel() != len(data) {
		return fmt.Errorf("initializer %s does not fit array %s", value, name)
	}
	return v.SetConst(tensor.From(v.Const().Shape.Clone(), data))
}

func zeroConstant(m *onnx.Model, value string) error {
	v := m.Graph.Value(value)
	if v == nil || v.Const() == nil {
		return fmt.Errorf("initializer %s is missing", value)
	}
	return v.SetConst(tensor.From(v.Const().Shape.Clone(), make([]float32, v.Const().Shape.Numel())))
}

// floatTolerance is how far two float implementations may be apart, relative to the largest output.
const floatTolerance = 1e-3

// measureFloat runs the file over the test samples and compares it with the training engine on some of them.
func (d *desk) measureFloat(ctx context.Context, f *record.File, model session.Document, arrays *quantize.Supernet) (record.Metric, error) {
	var none record.Metric
	e, base := d.env, d.sample.Float
	indices, err := d.sample.TestIndices(ctx, e)
	if err != nil {
		return none, err
	}
	rep := e.Start(event.StageVerify, record.FloatTarget, "")
	o := measurement.Options{Against: measurement.Kept(base.Logits, base.Tally.N)}
	run, err := evaluation.Measure(ctx, e, model, d.sample.Samples, indices, d.supernet.Network.Kinds, o, rep)
	if err != nil {
		return none, stage.Wrap(event.StageEval, err)
	}
	f.Top1 = run.Top1()
	worst, err := d.compareFloat(ctx, f, model, arrays)
	if err != nil {
		return none, stage.Wrap(event.StageVerify, err)
	}
	whole, err := LoadExported(f.Path)
	if err != nil {
		return none, stage.Wrap(event.StageVerify, err)
	}
	v := &verifier{e, d.supernet, d.sample, d.options.VerifySamples}
	odd, err := v.checkTail(ctx, f, whole)
	if err != nil {
		return none, stage.Wrap(event.StageVerify, err)
	}
	if f.FloatImagesPerS, f.ImagesPerS, err = v.compareSpeed(ctx, f.Path); err != nil {
		return none, stage.Wrap(event.StageVerify, err)
	}
	metric := record.Metric{Top1: run.Top1(), Loss: run.Tally.MeanLoss(), Agreement: run.Agreement}
	e.Seconds.Verify += rep.Done(fmt.Sprintf("%d samples compared, outputs differ by at most %.3g", f.SamplesCompared, f.MaxAbsDiff))
	if !f.Verified {
		return metric, &record.MismatchError{Path: f.Path, Output: worst}
	}
	if odd != "" {
		f.Verified = false
		return metric, &record.MismatchError{Path: f.Path, First: odd}
	}
	return metric, nil
}

// floatBatch is the batch of a comparison of float outputs.
const floatBatch = 8

// compareFloat runs the engine and the file on VerifySamples test samples. It returns the output that differs most
// where that is too much.
func (d *desk) compareFloat(ctx context.Context, f *record.File, model session.Document, arrays *quantize.Supernet) (*comparison.OutputDivergence, error) {
	sup, p := d.supernet, d.sample
	net, err := sup.Loaded(sup.Plan, sup.Arrays)
	if err != nil {
		return nil, err
	}
	if err := net.Load(arrays); err != nil {
		return nil, err
	}
	sim, err := train.NewSimulation(net, floatBatch, d.env.Pool)
	if err != nil {
		return nil, err
	}
	s, err := model.OpenUntil(ctx, d.env.Runtime())
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var sum comparison.Comparison
	indices := samples.Draw(p.Test.Len(), d.options.VerifySamples, "verify", d.env.Seed)
	err = p.Each(ctx, p.Test, indices, floatBatch, func(b samples.Batch) error {
		parts, err := sim.Outputs(ctx, sup.Plan.Max(), b.X, b.N)
		if err != nil {
			return err
		}
		got, list, err := measurement.Rows(ctx, s, p.Samples, b, sup.Network.Kinds)
		if err != nil {
			return err
		}
		want, err := list.Joined(parts, b.N)
		if err != nil {
			return fmt.Errorf("the file has other outputs than the network that was trained: %w", err)
		}
		_, flips := list.Agreement(want, got, b.N)
		f.Flips += flips
		f.SamplesCompared += b.N
		sum.Add(comparison.Of(nil, list.Compared(want, b.N), list.Compared(got, b.N)), b.First)
		return nil
	})
	f.MaxAbsDiff = min(sum.MaxAbsDiff, math.MaxFloat64) // JSON has no infinity
	worst := sum.Astray(floatTolerance)
	f.Verified = err == nil && f.SamplesCompared > 0 && worst == nil
	return worst, err
}
