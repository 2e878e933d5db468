package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/measurement"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network/division"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// job is one run: the options as stated and as resolved, the workspace, and what the stages hand to each other.
type job struct {
	stated Options // what the caller said in this run
	kept   Options // what the manifest said
	o      Options // with the rest from the manifest and the defaults
	asked  Options // o before the options that a kept supernet was trained with took the place of some
	w      *workspace.Workspace
	lock   *file.Lock // nil for a job that writes nothing
	pool   *par.Pool

	float     *onnx.Model        // the core of float.onnx: see division
	parts     *division.Division // nil: float.onnx is taken as a whole
	blocked   *division.BlockedError
	floatPlan *quantize.Plan
	replanned string      // fingerprint of the import where this run plans it anew with other candidates, else ""
	model     *onnx.Model // float with a norm behind every quantized Conv
	plan      *quantize.Plan
	data      *pictures.Pictures
	supernet  *quantize.Supernet
	codes     *quantize.Supernet // of codesFile, once it was read
	print     string             // fingerprint of the supernet
	scorer    *scoring.Evaluator // of the search
	jury      *scoring.Evaluator // of verdicts
	controls  norms.Controls
	lanes     []*norms.Lane
	base      *measurement.Result // the float model on the test pictures
	seconds   Seconds
	taken     bool // the workspace goes if this run made it
	measuring bool // only a file is measured, beside whatever the workspace holds
}

// openJob locks the workspace, opens or creates it, and resolves the options. Callers close the job.
func openJob(o Options) (*job, error) {
	lock, err := file.Acquire(o.Workspace)
	switch {
	case errors.Is(err, ErrLocked):
		err = fmt.Errorf("workspace %w; wait for its end, or work in another one with --workspace", err)
	case unwritable(err):
		err = fmt.Errorf("the workspace cannot be written: %w; choose another place with --workspace DIR", err)
	case err != nil:
		err = fmt.Errorf("open workspace %s: %w; choose another place with --workspace DIR", o.Workspace, err)
	}
	if err != nil {
		return nil, err
	}
	j, err := newJob(o)
	if err != nil {
		lock.Unlock()
		return nil, err
	}
	j.lock = lock
	return j, nil
}

// unwritable reports whether the folder of a workspace is not this user's to change.
func unwritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// newJob is openJob for a workspace that this process has locked.
func newJob(o Options) (*job, error) {
	if err := file.Sweep(o.Workspace); err != nil {
		return nil, err
	}
	o, err := withExample(o)
	if err != nil {
		return nil, err
	}
	w, err := workspace.Open(o.Workspace)
	if errors.Is(err, fs.ErrNotExist) {
		w, err = workspace.New(o.Workspace), nil
	}
	if err != nil {
		return nil, err
	}
	if err := w.Resolve(); err != nil {
		return nil, err
	}
	if o.Data == "" && w.Manifest.Options.Data == "" {
		o.Data = exampleData(o.Workspace) // of an import that was interrupted before its pictures were looked at
	}
	j := jobIn(w, o)
	j.warnRestored()
	return j, j.checkOrphan()
}

// readJob is a job that changes nothing in a workspace: it needs no lock, and the workspace may be read-only.
func readJob(o Options) (*job, error) {
	w, err := workspace.Open(o.Workspace)
	if err != nil {
		return nil, err
	}
	w.ReadOnly = true
	j := jobIn(w, o)
	j.warnRestored()
	return j, nil
}

// jobIn is a job in an opened workspace.
func jobIn(w *workspace.Workspace, o Options) *job {
	w.Program = Version()
	j := &job{stated: o, kept: w.Manifest.Options, o: o.Resolve(w.Manifest.Options), w: w, pool: par.New(o.Threads)}
	j.o.ZeroPoints, j.o.Outputs = zeroPoints(j.o.Profiles), slices.ContainsFunc(j.o.Profiles, func(p string) bool { return export.Named(p).ConvOutputs })
	j.o.Reserved = true
	if j.keepsSupernet() {
		j.o.ZeroPoints, j.o.Outputs, j.o.Reserved = j.kept.ZeroPoints, j.kept.Outputs, j.kept.Reserved
	}
	j.asked = j.o
	return j
}

// zeroPoints reports whether the runtimes of all profiles know zero points of activations.
func zeroPoints(profiles []string) bool {
	return !slices.ContainsFunc(profiles, func(p string) bool { return !export.Named(p).ZeroPoints })
}

func (j *job) close() {
	if j.data != nil {
		_ = j.data.Close() // only read
	}
	j.endSearch()
	j.pool.Close()
	switch {
	case j.lock == nil:
	case j.taken:
		j.lock.Discard()
	default:
		_ = j.w.Settle() // what is on record twice counts as well
		j.lock.Unlock()
	}
}

// takeBack lets close remove a workspace that this run made for a command line that was wrong, as long as nothing was computed
// there but the import.
func (j *job) takeBack(err error) { j.taken = errors.Is(err, ErrUsage) && !j.w.Has(supernetFile) }

// endSearch gives back what searches hold. It is made anew where it is needed again.
func (j *job) endSearch() {
	for _, l := range j.lanes {
		l.Close()
	}
	j.lanes, j.scorer, j.jury = nil, nil, nil
}

// locate finds the workspace of a run: that of a stated model, the stated one, the one in the current folder, or the
// embedded example's.
func locate(o Options) (Options, error) {
	if o.Workspace != "" {
		return o, nil
	}
	if o.Model != "" {
		o.Workspace = workspace.For(o.Model)
		return o, nil
	}
	found, err := workspace.Find(".")
	if err != nil {
		return o, err
	}
	switch len(found) {
	case 0:
		o.Workspace = exampleWorkspace
	case 1:
		o.Workspace = found[0]
	default:
		return o, fmt.Errorf("%w: several workspaces here, choose one with --workspace: %s", ErrUsage, strings.Join(found, ", "))
	}
	return o, nil
}

// keepsSupernet reports whether there is a trained supernet that this run must not replace.
func (j *job) keepsSupernet() bool {
	return !j.measuring && j.w.Has(supernetFile) && j.w.Manifest.Stages[string(event.StageTrain)].Done && !j.o.Retrain && !j.upgrades()
}

// upgrades reports whether this run trains what was only calibrated before. That takes seconds to make anew.
func (j *job) upgrades() bool {
	stated := j.stated.Epochs != nil || j.stated.Time > 0 || j.stated.Effort != ""
	return stated && j.o.Trains() && j.w.Manifest.Stages[string(event.StageTrain)].Note == postTraining
}

// changed lists which of the options that decide the supernet were stated differently from what it was trained with.
func changed(stated, kept Options) []string {
	var out []string
	if states := stated.Float || len(stated.WeightBits)+len(stated.ActivationBits) > 0; states && stated.Float != kept.Float {
		return []string{map[bool]string{true: "it was trained in float", false: "it was trained with quantizers"}[kept.Float]}
	}
	for _, f := range []struct {
		name         string
		stated, kept any
		given        bool
	}{
		{"bits of weights", stated.WeightBits, kept.WeightBits, len(stated.WeightBits) > 0},
		{"bits of activations", stated.ActivationBits, kept.ActivationBits, len(stated.ActivationBits) > 0},
		{"kinds of outputs", stated.OutputKinds, kept.OutputKinds, len(stated.OutputKinds) > 0},
		{"excluded nodes", stated.Exclude, kept.Exclude, len(stated.Exclude) > 0},
		{"profiles without unsigned 8-bit type", true, kept.Int8, slices.ContainsFunc(stated.Profiles, func(p string) bool { return export.Named(p).Int8 })},
		{"seed", value(stated.Seed), value(kept.Seed), stated.Seed != nil && kept.Seed != nil},
		{"pictures for development", value(stated.Develop), value(kept.Develop), stated.Develop != nil && kept.Develop != nil},
		{"hold-out", value(stated.Holdout), value(kept.Holdout), stated.Holdout != nil && kept.Holdout != nil},
	} {
		if f.given && fmt.Sprint(f.stated) != fmt.Sprint(f.kept) {
			out = append(out, fmt.Sprintf("%s (%v, trained with %v)", f.name, f.stated, f.kept))
		}
	}
	return out
}

// value is what a pointer points to, nil for nil.
func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// stageError names the stage of an error once; that the user stopped the run is no error of a stage.
func stageError(stage event.Stage, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || strings.HasPrefix(err.Error(), string(stage)+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", stage, err)
}

// fileExists reports whether a path can be opened; data paths are checked before the first long stage.
func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
