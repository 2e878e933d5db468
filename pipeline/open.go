package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// call is what a command asks of a workspace, resolved once: nothing in it changes afterwards.
type call struct {
	Options // with the rest from the manifest and the defaults
	stated  Options
	kept    Options // of the manifest
	// asked are the training options of this call where a kept supernet was trained with others, which Options hold
	// then.
	asked options.TrainingOptions
	other bool // asked are not those of the kept supernet
}

// resolve resolves what is stated for a workspace. keep says that its trained supernet stays.
func resolve(w *workspace.Workspace, stated Options) (c call, keep bool) {
	c = call{stated: stated, kept: w.Manifest.Options}
	c.Options = stated.Resolve(c.kept)
	c.ZeroPoints, c.ConvOutputs = zeroPoints(c.Profiles), slices.ContainsFunc(c.Profiles, func(p string) bool { return export.Named(p).ConvOutputs })
	c.Reserved = true
	c.asked = c.TrainingOptions
	if keep = c.keeps(w); !keep {
		return c, false
	}
	c.ZeroPoints, c.ConvOutputs, c.Reserved = c.kept.ZeroPoints, c.kept.ConvOutputs, c.kept.Reserved
	trained := Options{}.Resolve(c.kept)
	c.other = stated.StatesTraining() && (c.Ranges != trained.Ranges || !sameStamp(c.asked, trained.TrainingOptions))
	c.Options = c.WithTraining(trained)
	return c, true
}

// keeps reports whether there is a trained supernet that this call must not replace. One that was only calibrated takes
// seconds to make anew, so a call that states training replaces it.
func (c *call) keeps(w *workspace.Workspace) bool {
	state := w.Manifest.Stages[string(event.StageTrain)]
	statesLength := c.stated.Epochs != nil || c.stated.Time > 0 || c.stated.Effort != ""
	upgrades := statesLength && c.Trains() && state.Note == stage.PostTraining
	return w.Has(stage.SupernetFile) && state.Done && !c.Retrain && !upgrades
}

// sameStamp reports whether two structs of options count alike in stamps.
func sameStamp(a, b any) bool {
	x, errX := stage.Key{Options: []any{a}}.Stamp()
	y, errY := stage.Key{Options: []any{b}}.Stamp()
	return errX == nil && errY == nil && x == y
}

// sameStamps reports whether all that decides a training counts alike.
func sameStamps(a, b Options) bool {
	return sameStamp(a.ModelOptions, b.ModelOptions) && sameStamp(a.DataOptions, b.DataOptions) && sameStamp(a.WidthOptions, b.WidthOptions) &&
		sameStamp(a.CalibrationOptions, b.CalibrationOptions) && sameStamp(a.TrainingOptions, b.TrainingOptions) && b.Seed != nil && *a.Seed == *b.Seed
}

// zeroPoints reports whether the runtimes of all profiles know zero points of activations.
func zeroPoints(profiles []string) bool {
	return !slices.ContainsFunc(profiles, func(p string) bool { return !export.Named(p).ZeroPoints })
}

// site is the workspace of a call while it is worked in.
type site struct {
	env  *stage.Env
	lock *file.Lock // nil for a call that writes nothing
}

// openLocked locks the workspace of what is stated, opens or creates it, and resolves the options. Callers leave the
// site.
func openLocked(o Options) (*site, call, error) {
	lock, err := file.Acquire(o.Workspace)
	switch {
	case errors.Is(err, ErrLocked):
		err = fmt.Errorf("workspace %w; wait for its end, or work in another one with --workspace", err)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		err = fmt.Errorf("the workspace cannot be written: %w; choose another place with --workspace DIR", err)
	case err != nil:
		err = fmt.Errorf("open workspace %s: %w; choose another place with --workspace DIR", o.Workspace, err)
	}
	if err != nil {
		return nil, call{}, err
	}
	s, c, err := openSite(o)
	if err != nil {
		lock.Unlock()
		return nil, call{}, err
	}
	s.lock = lock
	return s, c, nil
}

// openSite is openLocked for a workspace that this process has locked.
func openSite(o Options) (*site, call, error) {
	if err := file.Sweep(o.Workspace); err != nil {
		return nil, call{}, err
	}
	o, err := withExample(o)
	if err != nil {
		return nil, call{}, err
	}
	w, err := workspace.Open(o.Workspace)
	if errors.Is(err, fs.ErrNotExist) {
		w, err = workspace.New(o.Workspace), nil
	}
	if err != nil {
		return nil, call{}, err
	}
	if err := w.Resolve(); err != nil {
		return nil, call{}, err
	}
	if o.Data == "" && w.Manifest.Options.Data == "" {
		o.Data = exampleData(o.Workspace) // of an import that was interrupted before its samples were looked at
	}
	c, keep := resolve(w, o)
	s := newSite(w, c.Options, keep)
	if c.Retrain || !sameStamps(c.Options, c.kept) {
		s.env.Disown()
	}
	if err := s.env.CheckOrphan(c.Retrain); err != nil {
		s.leave(nil)
		return nil, call{}, err
	}
	return s, c, nil
}

// openReadOnly is openLocked for a call that changes nothing in a workspace: it needs no lock, and the workspace may be
// read-only.
func openReadOnly(o Options) (*site, call, error) {
	w, err := workspace.Open(o.Workspace)
	if err != nil {
		return nil, call{}, err
	}
	w.ReadOnly = true
	c, keep := resolve(w, o)
	return newSite(w, c.Options, keep), c, nil
}

// newSite is an opened workspace with what its stages share.
func newSite(w *workspace.Workspace, o Options, keep bool) *site {
	w.Program = Version()
	env := &stage.Env{
		Workspace: w, Events: o.Events, Pool: par.New(o.Threads), Machine: o.MachineOptions, Seed: *o.Seed, Keep: keep, Seconds: &record.Seconds{},
	}
	env.WarnRestored()
	return &site{env: env}
}

// leave ends the work in a workspace. One that this call made for a command line that was wrong goes, as long as
// nothing was computed there but the import.
func (s *site) leave(err error) {
	s.env.Pool.Close()
	switch {
	case s.lock == nil:
	case errors.Is(err, ErrUsage) && !s.env.Workspace.Has(stage.SupernetFile):
		s.lock.Discard()
	default:
		_ = s.env.Workspace.Settle() // what is on record twice counts as well
		s.lock.Unlock()
	}
}

// locate finds the workspace of a call: that of a stated model, the stated one, the one in the current folder, or the
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
