package network

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/quantize"
)

// Describe is import.json: the plan, and what stays float behind it or is in the way.
func (n *Network) Describe() record.ImportResult {
	r := describe(n.Plan)
	r.Layers = append(r.Layers, tailLayers(n.Partition)...)
	if n.Blocked != nil {
		p := n.Blocked.Problems[0]
		r.Problems = append(r.Problems, record.Problem{Node: p.Node, Reason: "mpqc compress will stop here: " + n.Blocked.Reason(), Fix: n.Blocked.Fix})
	}
	return r
}

// describe turns a plan into import.json.
func describe(plan *quantize.Plan) record.ImportResult {
	r := record.ImportResult{Layers: []record.ImportLayer{}, Groups: []record.Group{}, Problems: []record.Problem{}, Uniform: []record.Level{}}
	for _, l := range plan.Layers {
		p := plan.Points[l.Point]
		r.Layers = append(r.Layers, record.ImportLayer{
			Node: l.Node, Op: l.Op, Shape: l.Shape, MACs: l.MACs, Params: l.Params,
			Candidates: l.Candidates, ActivationCandidates: p.Candidates, Fixed: l.Fixed,
		})
	}
	for _, f := range plan.Float {
		r.Layers = append(r.Layers, record.ImportLayer{
			Node: f.Node, Op: f.Op, Shape: []int{}, Candidates: []int{}, ActivationCandidates: []int{}, FloatReason: f.Reason,
		})
		if quantize.IsLayerOp(f.Op) {
			fix := "nothing, if its share of the work is small; else make its weights constant"
			if f.Reason == quantize.Excluded {
				fix = "nothing, if that is meant; else drop --exclude of this node"
			}
			r.Problems = append(r.Problems, record.Problem{Node: f.Node, Reason: "stays float: " + f.Reason, Fix: fix})
		}
	}
	for _, p := range plan.Points {
		g := record.Group{Tensor: p.Tensor, Signed: p.Signed, Stream: p.Stream, Layers: []string{}}
		for _, i := range p.Layers {
			g.Layers = append(g.Layers, plan.Layers[i].Node)
		}
		r.Groups = append(r.Groups, g)
	}
	for _, b := range quantize.DefaultBits() {
		q := plan.Uniform(b)
		r.Uniform = append(r.Uniform, record.Level{Bits: b, BitOPs: plan.BitOPs(q), PackedBytes: plan.PackedBytes(q, plan.FloatRest)})
	}
	return r
}

// tailReason is why nodes of the tail stay float.
const tailReason = "behind the last layer that is quantized, with an operator that training leaves to the runtime"

// tailLayers lists the nodes of the tail for import and doctor.
func tailLayers(d *partition.Partition) []record.ImportLayer {
	var list []record.ImportLayer
	for _, n := range d.TailNodes() {
		if quantize.IsView(n) {
			continue
		}
		list = append(list, record.ImportLayer{
			Node: n.Name(), Op: n.Op(), Shape: []int{}, Candidates: []int{}, ActivationCandidates: []int{}, FloatReason: tailReason,
		})
	}
	return list
}

// Check refuses a model that has nothing to quantize.
func Check(plan *quantize.Plan) error {
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
