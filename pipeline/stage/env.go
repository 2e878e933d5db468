// Package stage holds what all stages of a run share and none of them computes: the workspace and how artifacts are
// read, written and made anew there, the threads, the seed, and the stamps by which a stage knows that its work is
// done.
package stage

import (
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// Env is what all stages of a run share.
type Env struct {
	Workspace *workspace.Workspace
	Events    event.Sink
	Pool      *par.Pool
	Machine   options.MachineOptions
	Seed      uint64
	// Keep says that the workspace holds a trained supernet that this run must not replace.
	Keep    bool
	Seconds *record.Seconds // of the stages so far
}

// Start opens a stage on a subject, such as a target, which may be empty.
func (e *Env) Start(name event.Stage, subject, text string) *event.Reporter {
	return e.Events.Start(name, subject, text)
}

// Warn says what the user should act on.
func (e *Env) Warn(name event.Stage, subject, text string) {
	e.Start(name, subject, "").Warning(text)
}

// Runtime are the options of sessions that measure: all threads, as users run files.
func (e *Env) Runtime() ort.Options {
	return ort.Options{Threads: e.Machine.Workers(), Optimize: true, Provider: e.Machine.Provider}
}

// Stamp is that of a stage as the workspace remembers it, done or under way.
func (e *Env) Stamp(name event.Stage) string {
	return e.Workspace.Manifest.Stages[string(name)].Fingerprint
}

// Trained reports whether the supernet of the workspace was trained, not only calibrated.
func (e *Env) Trained() bool {
	s := e.Workspace.Manifest.Stages[string(event.StageTrain)]
	return s.Done && s.Note != PostTraining
}

// Unstamped reports whether a training is under way that an older program began, whose stamps say nothing to this one.
// All that decides it is as it was then: see Disown.
func (e *Env) Unstamped() bool {
	s := e.Workspace.Manifest.Stages[string(event.StageTrain)]
	return !s.Done && s.Steps > 0 && s.Stamps == 0
}

// Disown keeps a training that an older program left under way from going on. Whoever finds that the model, the samples
// or the options are others than on record calls it, before these go on record.
func (e *Env) Disown() {
	if e.Unstamped() {
		s := e.Workspace.Manifest.Stages[string(event.StageTrain)]
		s.Stamps = workspace.StampsVersion
		e.Workspace.Manifest.Stages[string(event.StageTrain)] = s
	}
}

// PostTraining is the note of a supernet that was calibrated but not trained. Training may replace it unasked.
const PostTraining = "post-training"
