package pipeline

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/train"
)

// floatTarget names the result of a run without quantizers, and its profile.
const floatTarget = "float"

// runFloat trains the float model on and delivers it: what the recipe gains by training alone.
func (j *job) runFloat(ctx context.Context) (*Result, error) {
	if j.stated.SearchOnly || len(j.stated.Targets)+len(j.stated.Pins)+len(j.stated.Caps) > 0 || j.stated.Policy != "" || j.polishes() {
		return nil, fmt.Errorf("%w: workspace %s was trained in float and has nothing to search or to polish; --bits LIST --retrain trains with quantizers",
			ErrUsage, j.w.Dir())
	}
	if err := j.finish(ctx); err != nil {
		return nil, err
	}
	r, err := j.newResult(ctx)
	if err != nil {
		return nil, err
	}
	row, err := j.deliverFloat(ctx)
	if row != nil {
		r.Results = []TargetResult{*row}
	}
	r.Seconds = j.seconds
	return r, err
}

// deliverFloat writes, checks and measures the trained float model.
func (j *job) deliverFloat(ctx context.Context) (*TargetResult, error) {
	p := j.plan.Max()
	supernet := j.supernet
	if j.o.Trains() {
		var err error
		if supernet, err = j.reestimate(ctx, p, floatTarget, j.o.Profiles[0]); err != nil {
			return nil, stageError("batch norm", err)
		}
	}
	m, err := j.floatModel(supernet, p)
	if err != nil {
		return nil, stageError(event.StageExport, err)
	}
	f := File{Profile: floatTarget, Path: j.w.Path("out", j.modelName()+"-float.onnx")}
	if err := j.saveFloat(m, "out/"+filepath.Base(f.Path)); err != nil {
		return nil, stageError(event.StageExport, err)
	}
	if err := f.describe(ctx); err != nil {
		return nil, err
	}
	model, remove, err := j.document(m)
	if err != nil {
		return nil, stageError(event.StageExport, err)
	}
	defer remove()
	row := j.floatRow(p)
	key, err := j.testKey("float file", f.SHA256, j.o.VerifySamples)
	if err != nil {
		return nil, err
	}
	d, err := cached(j, "scores/float.json", key, func() (delivered, error) {
		metric, err := j.measureFloat(ctx, &f, model, supernet)
		return delivered{File: f, Metric: metric}, err
	})
	d.File.Path = f.Path // the workspace may have moved
	row.Metric, row.Files, row.Uniform.Top1 = d.Metric, []File{d.File}, d.Metric.Top1
	return row, err
}

// saveFloat writes a float model with the tail behind it, and where that begins.
func (j *job) saveFloat(m *onnx.Model, name string) error {
	whole, err := j.parts.Append(m)
	if err != nil {
		return err
	}
	if j.parts.Tail() != nil {
		if err := metadata.SetCut(whole, m.Graph.Outputs()); err != nil {
			return err
		}
	}
	if whole, err = whole.Outward(); err != nil {
		return err
	}
	return j.saveModel(name, whole)
}

// floatRow describes the float model in the columns of a target.
func (j *job) floatRow(p quantize.Policy) *TargetResult {
	row := &TargetResult{
		Target: floatTarget, Feasible: [2]float64{floatBits, floatBits}, Unit: "bit",
		AvgWeightBits: floatBits, AvgActivationBits: floatBits, PackedBytes: j.plan.FloatRest, Policy: policyRows(j.plan, p), Files: []File{},
	}
	for i, l := range j.plan.Layers {
		row.Policy[i].W, row.Policy[i].A = floatBits, floatBits
		row.BitOPs += floatBits * floatBits * l.MACs
		row.PackedBytes += floatBits / 8 * l.Params
	}
	row.Uniform = Uniform{Bits: floatBits, BitOPs: row.BitOPs}
	return row
}

const floatBits = 32

// floatModel is the calibrated model with the weights and norms of the supernet.
func (j *job) floatModel(s *quantize.Supernet, p quantize.Policy) (*onnx.Model, error) {
	m := j.model.Clone()
	for i, l := range j.plan.Layers {
		w, a := j.plan.Bits(p, i)
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

// measureFloat runs the file over the test pictures and compares it with the training engine on some of them.
func (j *job) measureFloat(ctx context.Context, f *File, model session.Document, supernet *quantize.Supernet) (Metric, error) {
	base, err := j.floatReference(ctx)
	if err != nil {
		return Metric{}, stageError(event.StageEval, err)
	}
	indices, err := j.testIndices(ctx)
	if err != nil {
		return Metric{}, err
	}
	rep := j.o.Events.Start(event.StageVerify, floatTarget, "")
	run, err := j.measure(ctx, model, indices, measurement.Options{Against: measurement.Kept(base.Logits, base.Tally.N)}, rep)
	if err != nil {
		return Metric{}, stageError(event.StageEval, err)
	}
	f.Top1 = run.Top1()
	worst, err := j.compareFloat(ctx, f, model, supernet)
	if err != nil {
		return Metric{}, stageError(event.StageVerify, err)
	}
	whole, err := loadExported(f.Path)
	if err != nil {
		return Metric{}, stageError(event.StageVerify, err)
	}
	odd, err := j.checkTail(ctx, j.check(), f, whole)
	if err != nil {
		return Metric{}, stageError(event.StageVerify, err)
	}
	if f.FloatImagesPerS, f.ImagesPerS, err = j.compareSpeed(ctx, f.Path); err != nil {
		return Metric{}, stageError(event.StageVerify, err)
	}
	metric := Metric{Top1: run.Top1(), Loss: run.Tally.MeanLoss(), Agreement: run.Agreement}
	j.seconds.Verify += rep.Done(fmt.Sprintf("%d pictures compared, outputs differ by at most %.3g", f.PicturesCompared, f.MaxAbsDiff))
	if !f.Verified {
		return metric, &MismatchError{Path: f.Path, Output: worst}
	}
	if odd != "" {
		f.Verified = false
		return metric, &MismatchError{Path: f.Path, First: odd}
	}
	return metric, nil
}

// floatBatch is the batch of a comparison of float outputs.
const floatBatch = 8

// compareFloat runs the engine and the file on VerifySamples test pictures. It returns the output that differs most where
// that is too much.
func (j *job) compareFloat(ctx context.Context, f *File, model session.Document, supernet *quantize.Supernet) (*comparison.OutputDivergence, error) {
	net, err := j.trainable()
	if err != nil {
		return nil, err
	}
	if err := net.Load(supernet); err != nil {
		return nil, err
	}
	sim, err := train.NewSimulation(net, floatBatch, j.pool)
	if err != nil {
		return nil, err
	}
	s, err := model.OpenUntil(ctx, j.runtime())
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var sum comparison.Comparison
	indices := pictures.Draw(j.data.Test.Len(), j.o.VerifySamples, "verify", *j.o.Seed)
	err = j.data.Each(ctx, j.data.Test, indices, floatBatch, func(b pictures.Batch) error {
		parts, err := sim.Outputs(ctx, j.plan.Max(), b.X, b.N)
		if err != nil {
			return err
		}
		got, list, err := measurement.Rows(ctx, s, j.data, b, j.kinds())
		if err != nil {
			return err
		}
		want, err := list.Joined(parts, b.N)
		if err != nil {
			return fmt.Errorf("the file has other outputs than the network that was trained: %w", err)
		}
		_, flips := list.Agreement(want, got, b.N)
		f.Flips += flips
		f.PicturesCompared += b.N
		sum.Add(comparison.Of(nil, list.Compared(want, b.N), list.Compared(got, b.N)), b.First)
		return nil
	})
	f.MaxAbsDiff = min(sum.MaxAbsDiff, math.MaxFloat64) // JSON has no infinity
	worst := sum.Astray(floatTolerance)
	f.Verified = err == nil && f.PicturesCompared > 0 && worst == nil
	return worst, err
}
