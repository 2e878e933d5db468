package quantize

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/onnx"
)

// PlanOptions says what NewPlan may choose from.
type PlanOptions struct {
	WeightBits     []int    // candidates for weights, 2..8; nil: DefaultBits
	ActivationBits []int    // candidates for activations, 2..8; nil: DefaultBits
	Exclude        []string // node names or patterns (see Match) that stay in float
	Streams        bool     // quantize what enters Add, Concat, Mul and pooling and what leaves Add
	ZeroPoints     bool     `json:",omitempty"` // all runtimes know zero points of activations: see Point.Asymmetric
	Int8           bool     // a runtime without unsigned 8-bit type is among the targets: see Point.Int8
	// Outputs says that a runtime computes convolutions on integers only if their results are quantized: see
	// Point.Output. Activations then count as quantized operators, too. It needs Streams.
	Outputs bool `json:",omitempty"`
}

// DefaultBits returns the default candidates. RFQuant (arXiv 2401.01543) stops at 6 bits. 8 bits are a better teacher
// and serve targets such as w4.0a8.
func DefaultBits() []int { return []int{2, 3, 4, 5, 6, 8} }

// NewPlan finds the layers, quantization points and residual streams of a normalised model whose value shapes are known
// apart from the batch. It is an error if the model is not sound (see onnx.Model.Validate), if a parameter is no finite
// number, or if a tensor is larger than any machine computes. Nodes that cannot be quantized are listed in Plan.Float,
// each with its reason.
func NewPlan(m *onnx.Model, o PlanOptions) (*Plan, error) {
	if m == nil || m.Graph == nil {
		return nil, errors.New("plan: model has no graph")
	}
	if err := m.Validate(); err != nil { // the steps follow values back, which must come to an end
		return nil, fmt.Errorf("plan: %w", err)
	}
	b := &planner{
		graph: m.Graph, options: o, plan: &Plan{Roots: map[string]int{}},
		layer: map[*onnx.Node]int{}, norm: map[*onnx.Node]bool{}, reason: map[*onnx.Node]string{},
		stream: map[*onnx.Node]bool{}, domain: map[*onnx.Value]bool{}, sign: map[*onnx.Value]bool{}, side: map[*onnx.Value]bool{},
	}
	for _, step := range []func() error{b.candidates, b.exclude, b.finite, b.sizes, b.layers, b.ends, b.streams, b.points, b.floats} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
	}
	return b.plan, nil
}

// planner is the state of one NewPlan; its steps run once, in the order of NewPlan.
type planner struct {
	graph   *onnx.Graph
	options PlanOptions
	plan    *Plan

	weightBits, activationBits []int

	excluded map[*onnx.Node]bool
	layer    map[*onnx.Node]int    // index into plan.Layers
	norm     map[*onnx.Node]bool   // BatchNormalization nodes that belong to a layer
	reason   map[*onnx.Node]string // why a Conv, Gemm or MatMul is no layer
	stream   map[*onnx.Node]bool   // operators that compute between 8-bit streams
	domain   map[*onnx.Value]bool  // values that derive from quantized layers alone
	sign     map[*onnx.Value]bool  // memo of signed
	side     map[*onnx.Value]bool  // memo of oneSided
	varies   map[*onnx.Value]bool  // values that depend on an input; nil until constant asks
}

func (b *planner) candidates() error {
	var err error
	if b.weightBits, err = widths("weight", b.options.WeightBits); err != nil {
		return err
	}
	b.activationBits, err = widths("activation", b.options.ActivationBits)
	return err
}

// widths sorts a list of candidates and drops duplicates; nil is the default.
func widths(what string, bits []int) ([]int, error) {
	if bits == nil {
		bits = DefaultBits()
	}
	if len(bits) == 0 {
		return nil, fmt.Errorf("no %s bits to choose from", what)
	}
	out := slices.Clone(bits)
	slices.Sort(out)
	out = slices.Compact(out)
	if out[0] < minBits || out[len(out)-1] > maxBits {
		return nil, fmt.Errorf("%s bits %v: every width must be between %d and %d", what, bits, minBits, maxBits)
	}
	return out, nil
}

func (b *planner) exclude() error {
	b.excluded = map[*onnx.Node]bool{}
	for _, pattern := range b.options.Exclude {
		found := false
		for _, n := range b.graph.Nodes() {
			if Match(pattern, n.Name()) {
				b.excluded[n], found = true, true
			}
		}
		if !found {
			return fmt.Errorf("exclude %q: no node has such a name", pattern)
		}
	}
	return nil
}

// ends marks layers before or after which there is no other: they stay at 8/8. Excluded layers count as layers here,
// so that leaving out the first one does not fix the second.
func (b *planner) ends() error {
	nodes := b.graph.Nodes()
	isLayer := func(n *onnx.Node) bool {
		_, rejected := b.reason[n]
		_, ok := b.layer[n]
		return ok || rejected
	}
	before := map[*onnx.Value]bool{}
	for _, n := range nodes {
		reached := anyOf(n.Inputs(), before)
		if i, ok := b.layer[n]; ok && !reached {
			b.plan.Layers[i].Fixed = true
		}
		for _, v := range n.Outputs() {
			before[v] = reached || isLayer(n)
		}
	}
	after := map[*onnx.Value]bool{}
	for _, n := range slices.Backward(nodes) {
		reached := anyOf(n.Outputs(), after)
		if i, ok := b.layer[n]; ok && !reached {
			b.plan.Layers[i].Fixed = true
		}
		for _, v := range n.Inputs() {
			if v != nil && (reached || isLayer(n)) {
				after[v] = true
			}
		}
	}
	for i := range b.plan.Layers {
		if l := &b.plan.Layers[i]; l.Fixed {
			l.Candidates = []int{fixedBits}
		}
	}
	return nil
}

func anyOf(values []*onnx.Value, set map[*onnx.Value]bool) bool {
	return slices.ContainsFunc(values, func(v *onnx.Value) bool { return v != nil && set[v] })
}
