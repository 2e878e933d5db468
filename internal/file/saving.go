package file

import "sync/atomic"

// saving counts the calls of Saving that are not done.
var saving atomic.Int64

// Saving announces work whose state will be saved if it is interrupted, until done is called. Everything else may be
// killed at any moment, since it is made again.
func Saving() (done func()) {
	saving.Add(1)
	return func() { saving.Add(-1) }
}

// IsSaving reports whether work that Saving announced is under way.
func IsSaving() bool { return saving.Load() > 0 }
