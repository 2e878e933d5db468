package pipeline

import (
	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/selection"
	"github.com/mpqc/mpqc/quantize"
)

// Names of callers of Run for what lies in rooms of its own.
type (
	// Options of a run.
	Options = options.Options
	// Sink takes the events of a run.
	Sink = event.Sink
	// PreprocessingEdit changes parts of a preprocessing.
	PreprocessingEdit = models.Edit
	// Fidelity is how near an output of a file is to the simulation's.
	Fidelity = metric.Fidelity

	// Result of a run; its JSON is what `compress --json` prints.
	Result = record.Result
	// TargetResult is what was found for one target.
	TargetResult = record.TargetResult
	// File is one exported model, as the runtime sees it.
	File = record.File
	// Metric is a model on the test samples.
	Metric = record.Metric
	// MismatchError says that an exported file does not compute what the simulation does.
	MismatchError = record.MismatchError
	// ImportResult is what `import --json` prints.
	ImportResult = record.ImportResult
)

// DefaultTarget is met where none is stated.
const DefaultTarget = selection.DefaultTarget

// ErrUsage is wrapped by errors that the caller can repair by asking differently.
var ErrUsage = options.ErrUsage

// ErrInfeasible is wrapped by the error of a target that no policy can meet; the error names the feasible range.
var ErrInfeasible = quantize.ErrInfeasible

// ErrLocked is the error of a run on a workspace that another process works in.
var ErrLocked = file.ErrLocked

// ErrIrregular is the error of a path at which there is no regular file.
var ErrIrregular = file.ErrIrregular

// Saving reports whether work is under way that saves its state when it is interrupted.
func Saving() bool { return file.IsSaving() }
