package record

import (
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// ImportResult is what `import --json` prints, and import.json in the workspace.
type ImportResult struct {
	Layers   []ImportLayer `json:"layers"`
	Groups   []Group       `json:"groups"`
	Problems []Problem     `json:"problems"`
	Uniform  []Level       `json:"uniform"`

	Workspace string `json:"-"`
}

// ImportLayer is a layer of the plan, or a node that stays float although it computes.
type ImportLayer struct {
	Node                 string `json:"node"`
	Op                   string `json:"op"`
	Shape                []int  `json:"shape"` // of the weights
	MACs                 int64  `json:"macs"`  // per sample
	Params               int64  `json:"params"`
	Candidates           []int  `json:"candidates"` // weight widths
	ActivationCandidates []int  `json:"activation_candidates"`
	Fixed                bool   `json:"fixed"`
	FloatReason          string `json:"float_reason"`
}

// Group is a tensor with the layers that share its activation quantizer.
type Group struct {
	Tensor string   `json:"tensor"`
	Signed bool     `json:"signed"`
	Stream bool     `json:"stream"`
	Layers []string `json:"layers"`
}

// Problem is something that would go wrong, or be slow, later.
type Problem struct {
	Node   string `json:"node"`
	Reason string `json:"reason"`
	Fix    string `json:"fix"`
}

// Level is the cost of one uniform width.
type Level struct {
	Bits        int   `json:"bits"`
	BitOPs      int64 `json:"bitops"`
	PackedBytes int64 `json:"packed_bytes"`
}

// Check implements workspace.Document.
func (r *ImportResult) Check(plan *quantize.Plan) error {
	names := map[string]bool{}
	for _, l := range r.Layers {
		names[l.Node] = true
		if l.MACs < 0 || l.Params < 0 {
			return fmt.Errorf("layer %q has %d MACs and %d parameters", l.Node, l.MACs, l.Params)
		}
	}
	for _, g := range r.Groups {
		for _, node := range g.Layers {
			if !names[node] {
				return fmt.Errorf("tensor %q is read by %q, which is no layer", g.Tensor, node)
			}
		}
	}
	if plan == nil {
		return nil
	}
	for i := range plan.Layers {
		if !names[plan.Layers[i].Node] {
			return fmt.Errorf("layer %q is missing", plan.Layers[i].Node)
		}
	}
	return nil
}
