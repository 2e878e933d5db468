// Package partition takes a model apart: the core is trained, searched and quantized, the tail behind it stays as it is. It
// refuses models that cannot be divided, and says what to do about them.
package partition

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Partition is a normalised model in two: the core, which is trained, searched and quantized, and the tail behind its last
// layer, which holds operators that the engine lacks (ArgMax, NonMaxSuppression, those of other domains) and stays as it is.
// Outputs of the core that the tail reads are the values at the cut. A nil Partition is a model that is taken as a whole.
type Partition struct {
	Core *onnx.Model // all of the model where there is no tail
	tail *onnx.Model // nil: the core is the whole
	// features: the tail holds layers, so that what leaves the core are features and no class scores.
	features bool
}

// Of cuts a normalised model behind the last layer that is not excluded, where what follows holds operators that the
// engine lacks. The core is opened for batches where the tail alone stood in the way. It is a BlockedError if such an
// operator stands in front of a layer.
func Of(m *onnx.Model, exclude []string) (*Partition, error) {
	problems, err := decode.Check(m)
	if err != nil {
		return nil, err
	}
	c, err := newCut(m, problems, exclude)
	if err != nil {
		return nil, err
	}
	if len(c.blocked) > 0 {
		e := &BlockedError{Problems: c.blocked, Fix: OperatorFix(c.blocked[0], m)}
		if way := c.way(exclude); way != "" && !FromQuantized(c.blocked[0].Op) {
			e.Fix = way + "; or " + e.Fix
		}
		return nil, e
	}
	return c.divide()
}

// Tail is the part behind the core, nil without one.
func (d *Partition) Tail() *onnx.Model {
	if d == nil {
		return nil
	}
	return d.tail
}

// HoldsLayers reports whether what leaves the core are features for further layers.
func (d *Partition) HoldsLayers() bool { return d.Tail() != nil && d.features }

// TailNodes lists the nodes of the tail.
func (d *Partition) TailNodes() []*onnx.Node {
	if d.Tail() == nil {
		return nil
	}
	return d.tail.Graph.Nodes()
}

// Excluded is what of --exclude concerns the core.
func (d *Partition) Excluded(patterns []string) []string {
	if d.Tail() == nil {
		return patterns
	}
	fits := func(m *onnx.Model, pattern string) bool {
		return slices.ContainsFunc(m.Graph.Nodes(), func(n *onnx.Node) bool { return quantize.Match(pattern, n.Name()) })
	}
	return slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return !fits(d.Core, p) && fits(d.tail, p) })
}

// Append is a core with the tail behind it.
func (d *Partition) Append(core *onnx.Model) (*onnx.Model, error) {
	if d.Tail() == nil {
		return core, nil
	}
	whole := core.Clone()
	return whole, whole.Append(d.tail)
}

// CoreOf is the part of an exported file that stands for the core of the float model.
func (d *Partition) CoreOf(file *onnx.Model) (*onnx.Model, error) {
	if d.Tail() == nil {
		return file, nil
	}
	return file.Extract(onnx.Names(file.Graph.Inputs()), onnx.Names(d.Core.Graph.Outputs()))
}

// Differs compares what stands behind the core in a file with the tail, node by node. It says what differs, "" if nothing does.
func (d *Partition) Differs(file *onnx.Model) string {
	if d.Tail() == nil {
		return ""
	}
	part, err := file.Extract(onnx.Names(d.tail.Graph.Inputs()), onnx.Names(d.tail.Graph.Outputs()))
	if err != nil {
		return err.Error()
	}
	return differs(d.tail, part)
}

// differs compares two parts node by node, which are found by what they compute and in one order.
func differs(want, got *onnx.Model) string {
	a, b := want.Graph.Nodes(), got.Graph.Nodes()
	if len(a) != len(b) {
		return fmt.Sprintf("the file has %d nodes behind the network, the float model %d", len(b), len(a))
	}
	for i, n := range a {
		if !onnx.SameOperation(n, b[i]) || !slices.Equal(wiring(n, a), wiring(b[i], b)) {
			return fmt.Sprintf("node %q behind the network is not %q of the float model", b[i].Name(), n.Name())
		}
	}
	return ""
}

// wiring says where the inputs of a node come from: which output of which of the nodes, or which input of the graph.
func wiring(n *onnx.Node, nodes []*onnx.Node) []string {
	var from []string
	for _, v := range n.Inputs() {
		switch {
		case v == nil:
			from = append(from, "")
		case v.Producer() != nil:
			from = append(from, fmt.Sprint(slices.Index(nodes, v.Producer()), ".", slices.Index(v.Producer().Outputs(), v)))
		case v.IsInput():
			from = append(from, v.Name())
		default:
			from = append(from, "constant")
		}
	}
	return from
}
