package report

import (
	"errors"
	"io/fs"

	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize/search"
	"github.com/mpqc/mpqc/quantize/train"
)

type (
	// History is the course of a training.
	History = train.History
	// Mark is a point of its curve.
	Mark = train.Mark
	// TurbulenceEvent is one look of the scheduler at the weights.
	TurbulenceEvent = train.Event
)

// Artifacts is what a workspace knows besides its results: how they came about and what they mean. Parts that were not
// measured are nil.
type Artifacts struct {
	Layers      []record.ImportLayer `json:"layers"`
	Training    *History             `json:"training,omitempty"`
	Sensitivity *record.Sensitivity  `json:"sensitivity,omitempty"`
	// Front are the best policies by sensitivities over the whole range of budgets, Uniform those of one width, both
	// evaluated.
	Front   []search.Point `json:"front,omitempty"`
	Uniform []search.Point `json:"uniform,omitempty"`

	Damaged []error `json:"-"` // files of which nothing is shown
}

// ReadArtifacts reads what the stages left in a workspace.
func ReadArtifacts(w *workspace.Workspace) (Artifacts, error) {
	in := Artifacts{Layers: []record.ImportLayer{}}
	plan, err := optional[record.ImportResult](&in, w, stage.ImportFile)
	if err != nil {
		return in, err
	}
	if plan.Layers != nil {
		in.Layers = plan.Layers
	}
	h, err := optional[History](&in, w, stage.TrainingFile)
	if err != nil {
		return in, err
	}
	if h.Steps > 0 {
		in.Training = &h
	}
	s, err := optional[record.Sensitivities](&in, w, stage.SurveyFile)
	if err != nil {
		return in, err
	}
	in.Sensitivity, in.Front, in.Uniform = s.Lowest(), s.Front, s.Uniform
	return in, nil
}

// optional reads a file that need not be there. One that cannot be used counts as one that is not.
func optional[T any, P interface {
	*T
	workspace.Document
}](in *Artifacts, w *workspace.Workspace, name string) (T, error) {
	var v, none T
	err := w.ReadOptional(name, nil, P(&v))
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		in.Damaged = append(in.Damaged, err)
		return none, nil
	}
	return v, err
}

// Check says what a page cannot show of artifacts.
func (in *Artifacts) Check() error {
	if in.Training == nil {
		return nil
	}
	return in.Training.Check(nil)
}
