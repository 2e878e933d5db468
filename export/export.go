package export

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Options says how Export writes.
type Options struct {
	Profile string // name of a profile: see Profiles
	// Packed stores weights below 8 bits at their own width, with operators that the runtime runs once to unpack them.
	// It is an error for profiles whose runtime does not.
	Packed bool
	// Tail is a float document that goes on where the model ends and is written behind it as it is: its inputs are
	// outputs of the model, or its inputs. Nil for none.
	Tail *onnx.Model
}

// Export writes the network that a policy picks from a supernet as a document in the dialect of a profile. The model
// is the normalised float document that the plan was made from, with or without BatchNormalization behind its layers
// as the plan has it; it is not changed. Equal arguments give equal bytes.
func Export(m *onnx.Model, plan *quantize.Plan, s *quantize.Supernet, policy quantize.Policy, o Options) (*onnx.Model, error) {
	p, err := ProfileOf(o.Profile)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if m == nil || m.Graph == nil || plan == nil || s == nil {
		return nil, errors.New("export: model, plan or supernet is missing")
	}
	if err := plan.Validate(policy); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	e := &exporter{
		profile: p, options: o, model: m.Clone(), plan: plan, supernet: s, policy: policy,
		layer: map[string]int{}, requantized: map[string]*onnx.Value{}, shared: map[string]*onnx.Value{},
		desc: metadata.Description{Profile: p.Name},
	}
	e.graph = e.model.Graph
	for i := range plan.Layers {
		e.layer[plan.Layers[i].Node] = i
	}
	e.plan = p.Plan(e.model, plan)
	for _, step := range []func() error{e.checkZeroPoints, e.checkPacked, e.opset, e.batch, func() error { return p.build(e) }, e.describe, e.finish, e.append} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("export for %s: %w", p.Name, err)
		}
	}
	return e.model, nil
}

// exporter is the state of one Export. Its model is a copy that the steps rewrite in place.
type exporter struct {
	profile  Profile
	options  Options
	model    *onnx.Model
	graph    *onnx.Graph
	plan     *quantize.Plan
	supernet *quantize.Supernet
	policy   quantize.Policy

	layer       map[string]int         // node name to index into plan.Layers
	requantized map[string]*onnx.Value // CodesKey to the codes, or values, that layers below 8 bits read
	encodings   *metadata.Encodings    // of profile qnn
	shared      map[string]*onnx.Value // constants that packed weights share
	raised      int64                  // operator set that packed weights raised to packedOpset, 0: none
	desc        metadata.Description
}

// finish removes what nothing reads any more and orders the nodes.
func (e *exporter) finish() error {
	e.graph.Prune()
	if err := e.graph.Sort(); err != nil {
		return err
	}
	return e.model.Validate()
}

// append writes the tail behind the network, and where that ends.
func (e *exporter) append() error {
	t := e.options.Tail
	if t == nil {
		return nil
	}
	if err := metadata.SetCut(e.model, e.graph.Outputs()); err != nil {
		return err
	}
	switch v := t.Opset(""); {
	case v > e.profile.MaxOpset:
		if err := e.checkOpset(v, t.Graph); err != nil {
			return err
		}
		t = t.Clone()
		t.SetOpset("", e.profile.MaxOpset) // as the network in front of it
	case e.raised > 0 && v == e.raised:
		if err := checkRaised(v, t.Graph); err != nil {
			return err
		}
		t = t.Clone()
		t.SetOpset("", packedOpset)
	}
	if err := e.model.Append(t); err != nil {
		return err
	}
	e.graph = e.model.Graph
	return e.batch()
}

// node adds a node with one output and records the output's type. Names are made free, which they are unless the
// document has odd ones.
func (e *exporter) node(op, name, output string, dtype tensor.DType, shape tensor.Shape, in []*onnx.Value, attrs ...onnx.Attr) (*onnx.Value, error) {
	n, err := e.graph.AddNode(onnx.NodeSpec{
		Name: e.graph.FreshName(name), Op: op, Inputs: in, Outputs: []string{e.graph.FreshName(output)}, Attrs: attrs,
	}, nil)
	if err != nil {
		return nil, err
	}
	v := n.Output(0)
	v.SetType(dtype, shape)
	return v, nil
}

func (e *exporter) constant(name string, t *tensor.Tensor) (*onnx.Value, error) {
	return e.graph.AddInitializer(e.graph.FreshName(name), t)
}

// origin is the name that nodes around a value are called after: its producer's, or its own for a graph input.
func origin(v *onnx.Value) string {
	if n := v.Producer(); n != nil {
		return n.Name()
	}
	return v.Name()
}

func shapeOf(v *onnx.Value) tensor.Shape {
	s, _ := v.Shape()
	return s
}
