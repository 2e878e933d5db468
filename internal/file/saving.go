package file

import "sync/atomic"

// saving counts what would save its state if the process were to end.
var saving atomic.Int64

// Saving announces that until done is called, work is under way whose state will be saved when it is interrupted. Everything
// else may end at any moment: what it would have written is made anew.
func Saving() (done func()) {
	saving.Add(1)
	return func() { saving.Add(-1) }
}

// IsSaving reports whether any such work is under way.
func IsSaving() bool { return saving.Load() > 0 }
