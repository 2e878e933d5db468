package ops

import "github.com/mpqc/mpqc/internal/engine"

// view is the part that operators share which only reinterpret their input: the planner gives input and output one
// buffer, so there is nothing to compute.
type view struct{}

// View is true.
func (view) View() bool { return true }

// Forward does nothing.
func (view) Forward(*engine.Task) {}

// Retain keeps nothing.
func (view) Retain() engine.Retain { return engine.Retain{} }

// Backward does nothing.
func (view) Backward(*engine.Task) {}
