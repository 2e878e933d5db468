package pipeline

import (
	"slices"

	"github.com/mpqc/mpqc/pipeline/search"
	"github.com/mpqc/mpqc/pipeline/workspace"
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
}

// ReadInsight reads what the stages left in a workspace.
func ReadInsight(w *workspace.Workspace) (Insight, error) {
	in := Insight{Layers: []ImportLayer{}}
	var plan ImportResult
	if err := w.ReadOptional(importFile, &plan); err != nil {
		return in, err
	}
	if plan.Layers != nil {
		in.Layers = plan.Layers
	}
	var h History
	if err := w.ReadOptional(trainingFile, &h); err != nil {
		return in, err
	}
	if h.Steps > 0 {
		in.Training = &h
	}
	var s Survey
	if err := w.ReadOptional(sensitivityFile, &s); err != nil {
		return in, err
	}
	in.Sensitivity, in.Front, in.Uniform = s.lowest(), s.Front, s.Uniform
	return in, nil
}

// ReadVerdict reads from a workspace the comparison of a result with its uniform baseline, and that of its search with random
// policies. Nil is what there is not: of a policy that was stated by hand, of one that is the baseline, of a search without
// random policies.
func ReadVerdict(w *workspace.Workspace, r TargetResult) (*Verdict, *AtRandom, error) {
	var f found
	if err := w.ReadOptional(foundFile(r.Target), &f); err != nil || f.Result == nil || r.Search == nil {
		return nil, nil, err
	}
	// A verdict that turned the policy into the baseline is still one of this search.
	if !f.Policy.Equal(r.Search.Policy) || !slices.Equal(f.Uniform.W, r.Search.Uniform.W) {
		return nil, nil, nil
	}
	return f.Verdict, f.Random, nil
}
