package pipeline

import (
	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
)

// What callers of Run name lies in rooms of its own.
type (
	// Options of a run.
	Options = options.Options
	// Sink takes the events of a run.
	Sink = event.Sink
	// PreprocessingEdit changes parts of a preprocessing.
	PreprocessingEdit = models.Edit
	// Fidelity is how near an output of a file is to the simulation's.
	Fidelity = metric.Fidelity
)

// ErrUsage is wrapped by errors that the caller can repair by asking differently.
var ErrUsage = options.ErrUsage

// ErrLocked is the error of a run on a workspace that another process works in.
var ErrLocked = file.ErrLocked

// Saving reports whether work is under way that saves its state when it is interrupted.
func Saving() bool { return file.IsSaving() }

// ErrIrregular is the error of a path at which there is no regular file.
var ErrIrregular = file.ErrIrregular
