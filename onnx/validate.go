package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mpqc/mpqc/internal/tensor"
)

// Validate checks that the document is sound: a graph with outputs, operator set imports for all nodes, every value
// defined once and before it is read, nodes in order, attributes of the type they state, constants whose data fits
// their type. The error lists all problems, each with the node or value it is about. What inputs and attributes an
// operator wants is not checked here.
func (m *Model) Validate() error {
	return errors.Join(append(m.checkImports(), m.Graph.check()...)...)
}

// checkImports reports domains that nodes use without the model importing them.
func (m *Model) checkImports() []error {
	var errs []error
	if m.IRVersion <= 0 {
		errs = append(errs, fmt.Errorf("the model states no IR version"))
	}
	if len(m.pb.OpsetImport) == 0 {
		return append(errs, fmt.Errorf("the model imports no operator set"))
	}
	known, local := map[string]bool{}, map[functionKey]bool{}
	for _, o := range slices.Backward(m.pb.OpsetImport) { // the first one of a domain counts
		known[keyOf(o.GetDomain(), "", "").domain] = o.GetVersion() != 0
	}
	for _, f := range m.pb.Functions {
		local[keyOf(f.GetDomain(), f.GetName(), "")] = true
	}
	missing := map[string]bool{}
	for n := m.Graph.first; n != nil; n = n.next {
		if d := n.Domain(); !known[d] && !missing[d] && !local[keyOf(d, n.Op(), "")] {
			missing[d] = true
			errs = append(errs, fmt.Errorf("%s needs operator domain %q, which the model does not import", n, d))
		}
	}
	return errs
}

// isLocal reports whether a function of the model defines the operator.
func (m *Model) isLocal(n *Node) bool {
	for _, f := range m.pb.Functions {
		if f.GetName() == n.Op() && sameDomain(f.GetDomain(), n.Domain()) {
			return true
		}
	}
	return false
}

// Defines reports whether the node's operator is a function that the model itself brings.
func (m *Model) Defines(n *Node) bool { return m.isLocal(n) }

// checkName refuses names that the formats and runtimes behind a document cannot say: JSON and protobuf take UTF-8
// alone, C ends a text at NUL.
func checkName(kind, name string) error {
	switch {
	case !utf8.ValidString(name):
		return fmt.Errorf("the name of %s %q is not UTF-8: rename it", kind, name)
	case strings.ContainsRune(name, 0):
		return fmt.Errorf("the name of %s %q holds a NUL character: rename it", kind, name)
	}
	return nil
}

// checkNames reports nodes that share a name, and names that nobody can say.
func (g *Graph) checkNames() []error {
	var errs []error
	names := make(map[string]bool, g.count)
	for n := g.first; n != nil; n = n.next {
		if names[n.Name()] {
			errs = append(errs, fmt.Errorf("two nodes have the name %q", n.Name()))
		}
		names[n.Name()] = true
		if err := checkName("node", n.Name()); err != nil {
			errs = append(errs, err)
		}
		for _, v := range n.outputs {
			if v != nil {
				errs = append(errs, checkName("value", v.name))
			}
		}
	}
	for _, v := range slices.Concat(g.inputs, g.Initializers()) {
		errs = append(errs, checkName("value", v.name))
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// check lists what is wrong with the graph.
func (g *Graph) check() []error {
	errs := append([]error(nil), g.problems...)
	if len(g.outputs) == 0 {
		errs = append(errs, fmt.Errorf("the graph has no outputs"))
	}
	for _, v := range g.outputs {
		if v.undefined() {
			errs = append(errs, fmt.Errorf("graph output %q is not produced by any node", v.name))
		}
	}
	for _, v := range g.inputs {
		t := v.info.GetType()
		if t.GetValue() == nil || t.GetTensorType() != nil && v.DType() == tensor.Undefined {
			errs = append(errs, fmt.Errorf("graph input %q has no element type", v.name))
		}
	}
	for _, v := range g.Initializers() {
		if v.name == "" {
			errs = append(errs, fmt.Errorf("an initializer has no name"))
		}
		if err := checkTensor(v.init); err != nil {
			errs = append(errs, fmt.Errorf("initializer %q: %w", v.name, err))
		}
	}
	errs = append(errs, g.checkNames()...)
	for n := g.first; n != nil; n = n.next {
		errs = append(errs, n.check()...)
	}
	errs = append(errs, g.checkAttrs()...)
	if _, err := g.order(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func (v *Value) undefined() bool {
	return v.producer == nil && !v.isInput && v.init == nil && v.sparse == nil
}

// check reports what is wrong with a node's operator and inputs.
func (n *Node) check() []error {
	var errs []error
	if n.Op() == "" {
		errs = append(errs, fmt.Errorf("%s has no operator", n))
	}
	inputs := n.Inputs()
	for _, v := range append(inputs, n.captures...) {
		switch {
		case v == nil:
		case v.undefined():
			errs = append(errs, fmt.Errorf("%s reads %q, which nothing defines", n, v.name))
		case v.producer == n:
			errs = append(errs, fmt.Errorf("%s reads its own output %q", n, v.name))
		case v.producer != nil && v.producer.pos > n.pos:
			errs = append(errs, fmt.Errorf("%s reads %q before %s produces it: the nodes are not in topological order",
				n, v.name, v.producer))
		}
	}
	return errs
}
