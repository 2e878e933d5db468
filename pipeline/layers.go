package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/pipeline/network/partition"
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
	MACs                 int64  `json:"macs"`  // per picture
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

// describe is import.json: the plan, and what stays float behind it or is in the way.
func (j *job) describe() ImportResult {
	r := describe(j.floatPlan)
	r.Layers = append(r.Layers, tailLayers(j.parts)...)
	if j.blocked != nil {
		p := j.blocked.Problems[0]
		r.Problems = append(r.Problems, Problem{p.Node, "mpqc compress will stop here: " + j.blocked.Reason(), j.blocked.Fix})
	}
	return r
}

// describe turns a plan into import.json.
func describe(plan *quantize.Plan) ImportResult {
	r := ImportResult{Layers: []ImportLayer{}, Groups: []Group{}, Problems: []Problem{}, Uniform: []Level{}}
	for _, l := range plan.Layers {
		p := plan.Points[l.Point]
		r.Layers = append(r.Layers, ImportLayer{
			Node: l.Node, Op: l.Op, Shape: l.Shape, MACs: l.MACs, Params: l.Params,
			Candidates: l.Candidates, ActivationCandidates: p.Candidates, Fixed: l.Fixed,
		})
	}
	for _, f := range plan.Float {
		r.Layers = append(r.Layers, ImportLayer{
			Node: f.Node, Op: f.Op, Shape: []int{}, Candidates: []int{}, ActivationCandidates: []int{}, FloatReason: f.Reason,
		})
		if quantize.IsLayerOp(f.Op) {
			fix := "nothing, if its share of the work is small; else make its weights constant"
			if f.Reason == quantize.Excluded {
				fix = "nothing, if that is meant; else drop --exclude of this node"
			}
			r.Problems = append(r.Problems, Problem{f.Node, "stays float: " + f.Reason, fix})
		}
	}
	for _, p := range plan.Points {
		g := Group{Tensor: p.Tensor, Signed: p.Signed, Stream: p.Stream, Layers: []string{}}
		for _, i := range p.Layers {
			g.Layers = append(g.Layers, plan.Layers[i].Node)
		}
		r.Groups = append(r.Groups, g)
	}
	for _, b := range quantize.DefaultBits() {
		q := plan.Uniform(b)
		r.Uniform = append(r.Uniform, Level{b, plan.BitOPs(q), plan.PackedBytes(q, plan.FloatRest)})
	}
	return r
}

// tailReason is why nodes of the tail stay float.
const tailReason = "behind the last layer that is quantized, with an operator that training leaves to the runtime"

// tailLayers lists the nodes of the tail for import and doctor.
func tailLayers(d *partition.Partition) []ImportLayer {
	var list []ImportLayer
	for _, n := range d.TailNodes() {
		if quantize.IsView(n) {
			continue
		}
		list = append(list, ImportLayer{
			Node: n.Name(), Op: n.Op(), Shape: []int{}, Candidates: []int{}, ActivationCandidates: []int{}, FloatReason: tailReason,
		})
	}
	return list
}

// checkPlan refuses a model that has nothing to quantize.
func checkPlan(plan *quantize.Plan) error {
	if len(plan.Layers) > 0 {
		return nil
	}
	var why []string
	for _, f := range plan.Float {
		if quantize.IsLayerOp(f.Op) {
			why = append(why, fmt.Sprintf("%s: %s", f.Node, f.Reason))
		}
	}
	if len(why) == 0 {
		return errors.New("there is no Conv, Gemm or MatMul with constant weights, so there is nothing to quantize")
	}
	return fmt.Errorf("no layer can be quantized: %s", strings.Join(why, "; "))
}
