package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/event"
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
	j, err := openJob(o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	defer func() { j.takeBack(err) }()
	if err := j.open(ctx); err != nil {
		return nil, err
	}
	if err := j.checkTargets(); err != nil {
		return nil, err
	}
	if err := j.checkNames(); err != nil {
		return nil, err
	}
	if err := j.settle(ctx); err != nil {
		return nil, err
	}
	if j.o.Float {
		return j.runFloat(ctx)
	}
	if j.keepsSupernet() {
		if err := j.servesProfiles(); err != nil {
			return nil, err
		}
	}
	targets, plan, err := j.targets()
	if err != nil {
		return nil, err
	}
	if err := j.finish(ctx); err != nil {
		return nil, err
	}
	return j.results(ctx, targets, plan)
}

// checkTrained refuses a workspace that has no finished supernet.
func checkTrained(dir string) error {
	if !fileExists(filepath.Join(dir, supernetFile)) {
		return fmt.Errorf("%w: workspace %s holds no trained supernet: run mpqc compress first", ErrUsage, dir)
	}
	w, err := workspace.Open(dir)
	if err == nil && !w.Manifest.Stages[string(event.StageTrain)].Done {
		return fmt.Errorf("%w: workspace %s is being trained anew: mpqc compress goes on with that", ErrUsage, dir)
	}
	return err
}

// prepare does what comes before training: import, data, calibration.
func (j *job) prepare(ctx context.Context) error {
	if err := j.open(ctx); err != nil {
		return err
	}
	return j.settle(ctx)
}

// open imports the model and looks at the pictures. What the workspace says of a training stays.
func (j *job) open(ctx context.Context) error {
	if err := checkRuntime(j.o.OnnxRuntime); err != nil {
		return err
	}
	if err := checkProvider(j.o.Provider); err != nil {
		return err
	}
	j.w.Manifest.Runtime = "onnxruntime " + ort.Version()
	if err := j.checkSupernet(); err != nil {
		return err
	}
	if j.stated.Model == "" && !j.w.Has(floatFile) {
		return fmt.Errorf("%w: workspace %s holds no imported model: name the MODEL.onnx to compress, or a new workspace for the example", ErrUsage, j.w.Dir())
	}
	if err := j.dataPath(); err != nil {
		return err
	}
	if err := j.importModel(ctx); err != nil {
		return err
	}
	if j.blocked != nil {
		return fmt.Errorf("compress %s: %w", j.w.Manifest.Model.Path, j.blocked)
	}
	if err := j.openData(); err != nil {
		return stageError("data", err)
	}
	if err := j.adoptData(ctx); err != nil {
		return stageError("data", err)
	}
	_, err := par.Await(ctx, func() (struct{}, error) { return struct{}{}, j.checkMemory() }) // it compiles, and only reads
	return err
}

// checkTargets refuses targets of the float plan, whose layers and widths are those of the calibrated one, before anything of an
// earlier training is given up.
func (j *job) checkTargets() error {
	if j.o.Float {
		return nil
	}
	j.plan = j.floatPlan
	_, _, err := j.targets()
	return err
}

// longestName is how many bytes file systems take for the name of a file. Those of a search are a target and a word or two.
const (
	longestName   = 255
	longestTarget = longestName - 55
)

// checkNames refuses names of models and targets that make those of the exported files too long, before the training that
// these are the end of.
func (j *job) checkNames() error {
	texts := j.stated.Targets
	if len(texts) == 0 {
		texts = []string{DefaultTarget}
	}
	for _, t := range texts {
		for _, p := range j.o.Profiles {
			name := fmt.Sprintf("%s-%s.%s.packed.onnx%s", j.modelName(), fileName(t), p, onnx.DataSuffix)
			if len(name) > longestName || len(fileName(t)) > longestTarget {
				return fmt.Errorf("%w: the file that target %s is exported to would be called %s, and file systems take names of %d bytes: "+
					"copy the model to a shorter name, or state a shorter target", ErrUsage, t, name, longestName)
			}
		}
	}
	return nil
}

// settle records what this run does, and calibrates. A supernet that stays keeps the record of how it was trained; one that goes
// is no longer a finished one from here on, since what it was calibrated with goes first.
func (j *job) settle(ctx context.Context) error {
	j.w.Manifest.Options = j.o
	if j.keepsSupernet() {
		j.w.Manifest.Options = j.o.WithTraining(j.kept)
	} else if state := j.w.Manifest.Stages[string(event.StageTrain)]; state.Done {
		j.w.Manifest.Stages[string(event.StageTrain)] = workspace.StageState{}
	}
	if err := j.w.Save(); err != nil {
		return err
	}
	if err := j.replan(); err != nil {
		return err
	}
	return stageError(event.StageCalibrate, j.calibrate(ctx))
}

// checkRuntime opens the library: nothing may fail for want of it after an hour of training.
func checkRuntime(library string) error {
	if err := ort.SetLibrary(library); err != nil {
		return err
	}
	return ort.Available()
}

// checkProvider says at the start what the runtime cannot do.
func checkProvider(provider string) error {
	if provider == ort.ProviderCPU {
		return nil
	}
	have, err := ort.Providers()
	if err != nil {
		return err
	}
	if !slices.Contains(have, provider) {
		return fmt.Errorf("%w: provider %s is not available: the onnxruntime library %s offers %s; --onnxruntime names another one",
			ErrUsage, provider, ort.Library(), strings.Join(have, ", "))
	}
	return nil
}

// checkSupernet refuses options that the trained supernet cannot serve.
func (j *job) checkSupernet() error {
	if !j.keepsSupernet() {
		return nil
	}
	if diff := changed(j.stated, j.w.Manifest.Options); len(diff) > 0 {
		return fmt.Errorf("%w: the supernet in %s does not fit: %s; --retrain trains anew", ErrUsage, j.w.Dir(), diff[0])
	}
	return nil
}

// targets parses and checks all targets before any long work: one that lies outside the range must not cost a training.
func (j *job) targets() ([]quantize.Target, *quantize.Plan, error) {
	plan, err := j.restrict()
	if err != nil {
		return nil, nil, err
	}
	if j.stated.Policy != "" {
		t, err := j.policyTarget(plan)
		return []quantize.Target{t}, plan, err
	}
	texts := j.stated.Targets
	if len(texts) == 0 {
		if t, ok := onlyPolicy(plan); ok {
			return []quantize.Target{t}, plan, nil
		}
		texts = []string{DefaultTarget}
	}
	targets, err := quantize.ParseTargets(texts)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	for _, t := range targets {
		if err := t.Validate(plan); err != nil {
			return nil, nil, err
		}
		if _, err := quantize.BudgetUniform(plan, t); err != nil {
			return nil, nil, err
		}
	}
	return targets, plan, nil
}

// DefaultTarget is met where none is stated: four bits is where mixed precision still costs almost no accuracy.
const DefaultTarget = "4.0bit"

// results searches, exports and verifies for every target.
func (j *job) results(ctx context.Context, targets []quantize.Target, plan *quantize.Plan) (*Result, error) {
	r, err := j.newResult(ctx)
	if err != nil {
		return nil, err
	}
	var mismatch error
	for _, t := range targets {
		find := j.find
		if j.stated.Policy != "" {
			find = j.given
		}
		res, err := find(ctx, t, plan)
		if err != nil {
			return nil, stageError(event.StageSearch, err)
		}
		row, err := j.deliver(ctx, t, res)
		if err != nil && !errors.As(err, new(*MismatchError)) {
			return nil, err
		}
		mismatch = errors.Join(mismatch, err)
		lo, hi := t.Feasible(plan)
		row.Feasible, row.Unit, row.Search = [2]float64{lo, hi}, unitOf(t), res
		r.Results = append(r.Results, row)
	}
	r.Seconds = j.seconds
	return r, mismatch
}

// newResult is a result without targets: the supernet and the float model.
func (j *job) newResult(ctx context.Context) (*Result, error) {
	base, err := j.floatReference(ctx)
	if err != nil {
		return nil, stageError(event.StageEval, err)
	}
	return &Result{
		Model: j.w.Manifest.Model.Path, Data: j.w.Manifest.Data.Path, Seed: *j.o.Seed, Fingerprint: j.supernetPrint(),
		Float: FloatMetric{Top1: base.Top1(), Loss: base.Tally.MeanLoss()}, Workspace: j.w.Dir(), Events: j.o.Events,
	}, nil
}
