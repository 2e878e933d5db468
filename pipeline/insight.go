package pipeline

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize/search"
	"github.com/mpqc/mpqc/quantize/train"
)

// trainingFile holds the course of the training that made the supernet.
const trainingFile = "training.json"

type (
	// History is the course of a training.
	History = train.History
	// Mark is a point of its curve.
	Mark = train.Mark
	// TurbulenceEvent is one look of the scheduler at the weights.
	TurbulenceEvent = train.Event
)

// Insight is what a workspace knows besides its results: how they came about and what they mean. Parts that were not
// measured are nil.
type Insight struct {
	Layers      []ImportLayer `json:"layers"`
	Training    *History      `json:"training,omitempty"`
	Sensitivity *Sensitivity  `json:"sensitivity,omitempty"`
	// Front are the best policies by sensitivities over the whole range of budgets, Uniform those of one width, both
	// evaluated.
	Front   []search.Point `json:"front,omitempty"`
	Uniform []search.Point `json:"uniform,omitempty"`

	Damaged []error `json:"-"` // files of which nothing is shown
}

// ReadInsight reads what the stages left in a workspace.
func ReadInsight(w *workspace.Workspace) (Insight, error) {
	in := Insight{Layers: []ImportLayer{}}
	plan, err := optional[ImportResult](&in, w, importFile)
	if err != nil {
		return in, err
	}
	if plan.Layers != nil {
		in.Layers = plan.Layers
	}
	h, err := optional[History](&in, w, trainingFile)
	if err != nil {
		return in, err
	}
	if h.Steps > 0 {
		in.Training = &h
	}
	s, err := optional[Survey](&in, w, sensitivityFile)
	if err != nil {
		return in, err
	}
	in.Sensitivity, in.Front, in.Uniform = s.lowest(), s.Front, s.Uniform
	return in, nil
}

// optional reads a file that need not be there. One that cannot be used counts as one that is not.
func optional[T any, P interface {
	*T
	workspace.Document
}](in *Insight, w *workspace.Workspace, name string) (T, error) {
	var v, none T
	err := w.ReadOptional(name, nil, P(&v))
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		in.Damaged = append(in.Damaged, err)
		return none, nil
	}
	return v, err
}

// ReadVerdict reads from a workspace the comparison of a result with its uniform baseline, and that of its search with random
// policies. Nil is what there is not: of a policy that was stated by hand, of one that is the baseline, of a search without
// random policies.
func ReadVerdict(w *workspace.Workspace, r TargetResult) (*Verdict, *AtRandom, error) {
	var f found
	if err := w.ReadOptional(foundFile(r.Target), nil, &f); err != nil || f.Result == nil || r.Search == nil {
		return nil, nil, err
	}
	// A verdict that turned the policy into the baseline is still one of this search.
	if !f.Policy.Equal(r.Search.Policy) || !slices.Equal(f.Uniform.W, r.Search.Uniform.W) {
		return nil, nil, nil
	}
	return f.Verdict, f.Random, nil
}
