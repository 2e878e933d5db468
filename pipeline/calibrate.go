package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

const (
	calibrationFile = "calibration.json"
	calibratedFile  = "calibrated.onnx"
	startFile       = "calibrated.safetensors"
)

// calibrateVersion rises when calibration gives something else with the same options.
const calibrateVersion = 3

// calibrationBatch is the number of pictures that calibration takes at a time.
const calibrationBatch = 64

// calibration is calibration.json: what was seen, for people and for later comparison.
type calibration struct {
	Pictures int                  `json:"pictures"`
	Tensors  []calibratedTensor   `json:"tensors"`
	Norms    []string             `json:"inserted_norms"`
	Steps    map[string][]float32 `json:"steps"`
}

type calibratedTensor struct {
	Tensor   string  `json:"tensor"`
	Max      float64 `json:"max"`
	Negative bool    `json:"negative"`
	Signed   bool    `json:"signed"`
	Stream   bool    `json:"stream"`
}

// calibrate is the calibration stage: statistics of the float model on training pictures, norms behind Convs that have
// none, and the supernet to start from.
func (j *job) calibrate(ctx context.Context) error {
	parts := []any{j.w.Manifest.Stages[string(event.StageImport)].Fingerprint, j.data.Stamp, j.o.CalibrateSamples, calibrateVersion}
	if asymmetric(j.floatPlan) >= 0 {
		parts = append(parts, "zero points")
	}
	ranges, err := calibrate.ParseRanges(j.o.Ranges)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if ranges != calibrate.MSE {
		parts = append(parts, ranges)
	}
	if j.parts.Tail() != nil {
		parts = append(parts, onnx.Names(j.float.Graph.Outputs()))
	}
	stamp, err := workspace.Fingerprint(parts...)
	if err != nil {
		return err
	}
	if j.w.Has(calibratedFile) && j.w.Has(startFile) && (j.keepsSupernet() || j.w.Finished(event.StageCalibrate, stamp, startFile)) {
		again, err := j.anew(j.openCalibrated(), event.StageCalibrate)
		if err != nil || !again {
			return err
		}
	}
	if j.keepsSupernet() { // it was trained from these
		j.w.Fix(calibratedFile, calibratedFile+onnx.DataSuffix, startFile)
	}
	n := min(j.o.CalibrateSamples, j.data.Train.Len())
	rep := j.o.Events.Start(event.StageCalibrate, "", fmt.Sprintf("%d pictures", n))
	batch := min(calibrationBatch, n)
	source := func(ctx context.Context, yield func([]float32, int) error) error {
		return j.data.Each(ctx, j.data.Train, j.data.Some(n, "calibrate", *j.o.Seed), batch, func(b pictures.Batch) error {
			defer rep.Progress(int64(b.Done), int64(n), "")
			return yield(b.X, b.N)
		})
	}
	st, err := j.collect(ctx, rep, source, calibrate.Options{Batch: batch, Pool: j.pool, MaxBytes: j.o.MaxMemory})
	if err != nil {
		return err
	}
	start, err := calibrate.SupernetFrom(ranges, j.model, j.plan, st, j.pool)
	if err != nil {
		return err
	}
	j.supernet = start
	if err := j.checkPoles(ctx, batch); err != nil {
		return err
	}
	if err := j.saveCalibration(st, start); err != nil {
		return j.refuse(err)
	}
	j.seconds.Calibrate = rep.Done("")
	return j.w.End(event.StageCalibrate, stamp, j.seconds.Calibrate, "")
}

// collect makes the calibrated model, and returns the statistics of its tensors.
func (j *job) collect(ctx context.Context, rep *event.Reporter, source calibrate.Source, o calibrate.Options) (*calibrate.Statistics, error) {
	st, err := calibrate.Collect(ctx, j.float, j.floatPlan, source, o)
	if err != nil {
		return nil, err
	}
	if err := j.insertNorms(st); err != nil {
		return nil, err
	}
	if _, err := calibrate.Order(ctx, j.model, j.plan, j.pool); err != nil {
		return nil, err
	}
	equalized, err := calibrate.Equalize(j.model, j.plan)
	if err != nil {
		return nil, err
	}
	if equalized {
		rep.Message("channels in front of depthwise layers were given one range: once more for the statistics")
		if st, err = calibrate.Collect(ctx, j.model, j.plan, source, o); err != nil {
			return nil, err
		}
	}
	return st, calibrate.Balance(j.model, j.plan)
}

func (j *job) saveCalibration(st *calibrate.Statistics, start *quantize.Supernet) error {
	doc := calibration{Pictures: st.Pictures, Norms: []string{}, Steps: map[string][]float32{}}
	for _, p := range j.plan.Points {
		h := st.Points[p.Tensor]
		doc.Tensors = append(doc.Tensors, calibratedTensor{p.Tensor, h.Max, h.Negative, p.Signed, p.Stream})
		for _, b := range p.Candidates {
			if a, ok := start.Arrays[quantize.StepName(p.Tensor, b)]; ok {
				doc.Steps[quantize.StepName(p.Tensor, b)] = a.Data
			}
		}
	}
	for i, l := range j.plan.Layers {
		if j.floatPlan.Layers[i].Norm == "" && l.Norm != "" {
			doc.Norms = append(doc.Norms, l.Norm)
		}
	}
	if err := j.w.WriteJSON(calibrationFile, doc); err != nil {
		return err
	}
	if err := j.saveModel(calibratedFile, j.model); err != nil {
		return err
	}
	return j.saveArrays(startFile, start)
}

// openCalibrated reads the model with its norms. Its plan must be that of the supernet, so it is made with the options
// that the workspace was calibrated with.
func (j *job) openCalibrated() error {
	m, err := j.loadModel(calibratedFile)
	if err != nil {
		return err
	}
	if !j.w.ReadOnly && j.w.Has(calibrationFile) {
		if err := j.w.Verify(calibrationFile); err != nil {
			return err
		}
	}
	j.model = m
	if err := j.planCalibrated(); err != nil {
		return err
	}
	j.supernet, err = j.loadArrays(startFile)
	return err
}

// insertNorms makes the calibrated model of the float one, and plans it.
func (j *job) insertNorms(st *calibrate.Statistics) error {
	j.model = j.float.Clone()
	if err := calibrate.Norms(j.model, j.floatPlan, st); err != nil {
		return err
	}
	return j.planCalibrated()
}

func (j *job) planCalibrated() error {
	if err := infer(j.model); err != nil {
		return err
	}
	plan, err := quantize.NewPlan(j.model, j.planOptions())
	if err != nil {
		return fmt.Errorf("plan the calibrated model: %w", err)
	}
	j.plan = plan
	return nil
}

// infer sets the shapes that a plan needs and files need not hold.
func infer(m *onnx.Model) error {
	if err := shape.Infer(m.Graph); err != nil {
		return fmt.Errorf("infer shapes: %w", err)
	}
	return nil
}
