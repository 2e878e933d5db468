package stage

import (
	"errors"

	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// Step is a stage as the manifest of the workspace records it.
type Step struct {
	Name     event.Stage
	Artifact string // file of the workspace with the result
	Key      Key
}

// Ended is what the manifest keeps of a stage that has run.
type Ended struct {
	Seconds float64
	Note    string
}

// ErrStale is wrapped by a load function whose artifact is whole but not what is asked for.
var ErrStale = errors.New("made for something else")

// Cached returns what a stage left in the workspace under the same key, read by load, else what run makes, which it
// records as done. Both are told the stamp of the key. An artifact that is damaged is made anew, with a warning, and
// one that load calls stale without; other errors of load end the stage.
func Cached[T any](e *Env, s Step, load func(stamp string) (T, error), run func(stamp string) (T, Ended, error)) (T, error) {
	var none T
	stamp, err := s.Key.Stamp()
	if err != nil {
		return none, err
	}
	if e.Workspace.Finished(s.Name, stamp, s.Artifact) {
		v, err := load(stamp)
		if err == nil {
			return v, nil
		}
		if again, stop := e.Anew(err, s.Name); !again && !errors.Is(err, ErrStale) {
			return none, stop
		}
	}
	v, ended, err := run(stamp)
	if err != nil {
		return none, err
	}
	return v, e.Workspace.End(s.Name, stamp, ended.Seconds, ended.Note)
}

// Measured returns what a JSON file of the workspace holds under the same key, else measures it for a stage and stores
// it there. A plan, unless it is nil, is what the file must fit.
func Measured[T any, P interface {
	*T
	workspace.Document
}](e *Env, of event.Stage, name string, k Key, plan *quantize.Plan, measure func() (T, error)) (T, error) {
	stamp, err := k.Stamp()
	if err != nil {
		var none T
		return none, err
	}
	warn := func(err error) { e.WarnAnew(of, err) }
	return workspace.Cached[T, P](e.Workspace, name, stamp, plan, warn, measure)
}
