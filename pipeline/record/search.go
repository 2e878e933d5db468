package record

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/search"
)

// Search is search/TARGET.json: the outcome of one search.
type Search struct {
	Target string `json:"target"`
	Stamp  string `json:"plan"` // of the search, or of the policy that stands in for one
	*search.Result
	Verdict *Verdict  `json:"verdict,omitempty"`
	Random  *AtRandom `json:"random,omitempty"`
	// Finetune is how the policy was trained alone; nil: not at all.
	Finetune *Finetune `json:"polish,omitempty"`
}

// AtRandom is the best of some random policies that use the same budget, by search score.
type AtRandom struct {
	Policies int     `json:"policies"`
	Loss     float64 `json:"loss"`
}

// SearchFile is the name of the file of a target's search in the workspace.
func SearchFile(target string) string { return "search/" + workspace.FileName(target) + ".json" }

// TargetOf is the target whose search a file of the workspace holds, as far as its name tells.
func TargetOf(file string) string {
	return strings.TrimSuffix(file[strings.LastIndexAny(file, `/\`)+1:], ".json")
}

// Check implements workspace.Document.
func (f *Search) Check(plan *quantize.Plan) error {
	if f.Result == nil {
		return errors.New("it holds no result")
	}
	if m := f.Finetune; m != nil && !(m.Epochs > 0) {
		return fmt.Errorf("it says that the policy was polished for %g epochs", m.Epochs)
	}
	if v := f.Verdict; v != nil && v.Samples < 0 {
		return fmt.Errorf("it was judged on %d samples", v.Samples)
	}
	return f.Result.Check(plan)
}

// ReadVerdict reads from a workspace the comparison of a result with its uniform baseline, and that of its search with
// random policies. Either is nil where it was not made: for a policy that was stated by hand, for one that is the
// baseline, for a search without random policies.
func ReadVerdict(w *workspace.Workspace, r TargetResult) (*Verdict, *AtRandom, error) {
	var f Search
	if err := w.ReadOptional(SearchFile(r.Target), nil, &f); err != nil || f.Result == nil || r.Search == nil {
		return nil, nil, err
	}
	// A verdict that turned the policy into the baseline is still one of this search.
	if !f.Policy.Equal(r.Search.Policy) || !f.Uniform.Equal(r.Search.Uniform) {
		return nil, nil, nil
	}
	return f.Verdict, f.Random, nil
}
