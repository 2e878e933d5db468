package stage

import (
	"context"
	"errors"

	"github.com/mpqc/mpqc/pipeline/event"
)

// Error is the error of a stage.
type Error struct {
	Stage event.Stage
	Err   error
}

// Error names the stage.
func (e *Error) Error() string { return string(e.Stage) + ": " + e.Err.Error() }

// Unwrap is what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Wrap names the stage of an error, once. nil stays nil, and a run that the user stopped is no error of a stage.
func Wrap(name event.Stage, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if e := (*Error)(nil); errors.As(err, &e) && e.Stage == name {
		return err
	}
	return &Error{name, err}
}
