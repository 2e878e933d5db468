// Package partition splits a model into a core and a tail. The core is trained, searched and quantized; the tail behind
// it stays float. Models that cannot be split are refused with a remedy.
package partition

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Partition is a normalised model in two parts.
//
// The core is trained, searched and quantized. The tail stands behind the last layer and stays as it is. It holds
// operators that the engine lacks, such as ArgMax, NonMaxSuppression, and those of other domains. The outputs of the
// core that the tail reads are the values at the cut. A nil Partition stands for a model without tail.
type Partition struct {
	Core *onnx.Model // the whole model if there is no tail
	tail *onnx.Model // nil: there is none
	// features says that the tail holds layers: the outputs of the core are then features, not class scores.
	features bool
}

// Of partitions a normalised model behind its last layer that no pattern of exclude matches. To the tail go
//   - operators that the engine lacks, with all nodes behind them;
//   - a final Softmax, since training and search work on logits;
//   - nodes that lead to outputs without passing a layer.
//
// If only the tail kept the batch fixed, the core's batch is opened. The error is a *BlockedError if a layer needs a
// node that the engine lacks.
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
		if s := c.suggestion(exclude); s != "" && !FromQuantized(c.blocked[0].Op) {
			e.Fix = s + "; or " + e.Fix
		}
		return nil, e
	}
	return c.divide()
}

// Tail returns the part behind the core, or nil.
func (p *Partition) Tail() *onnx.Model {
	if p == nil {
		return nil
	}
	return p.tail
}

// HoldsLayers reports whether the tail holds layers, so that the outputs of the core are features.
func (p *Partition) HoldsLayers() bool { return p.Tail() != nil && p.features }

// TailNodes lists the nodes of the tail.
func (p *Partition) TailNodes() []*onnx.Node {
	if p.Tail() == nil {
		return nil
	}
	return p.tail.Graph.Nodes()
}

// Excluded returns the patterns of --exclude without those that match nodes of the tail only.
func (p *Partition) Excluded(patterns []string) []string {
	if p.Tail() == nil {
		return patterns
	}
	fits := func(m *onnx.Model, pattern string) bool {
		return slices.ContainsFunc(m.Graph.Nodes(), func(n *onnx.Node) bool { return quantize.Match(pattern, n.Name()) })
	}
	return slices.DeleteFunc(slices.Clone(patterns), func(pattern string) bool {
		return !fits(p.Core, pattern) && fits(p.tail, pattern)
	})
}

// Append returns core with the tail appended. Without a tail it returns core itself.
func (p *Partition) Append(core *onnx.Model) (*onnx.Model, error) {
	if p.Tail() == nil {
		return core, nil
	}
	whole := core.Clone()
	return whole, whole.Append(p.tail)
}

// CoreOf extracts from an exported file the part that corresponds to the core.
func (p *Partition) CoreOf(file *onnx.Model) (*onnx.Model, error) {
	if p.Tail() == nil {
		return file, nil
	}
	return file.Extract(onnx.Names(file.Graph.Inputs()), onnx.Names(p.Core.Graph.Outputs()))
}

// Differs compares the part of a file behind the core with the tail, node by node. It describes the first difference,
// or returns "".
func (p *Partition) Differs(file *onnx.Model) string {
	if p.Tail() == nil {
		return ""
	}
	part, err := file.Extract(onnx.Names(p.tail.Graph.Inputs()), onnx.Names(p.tail.Graph.Outputs()))
	if err != nil {
		return err.Error()
	}
	return differs(p.tail, part)
}

// differs compares two models node by node, in document order: operation and wiring, not names.
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

// wiring describes where each input of n comes from: an output of one of nodes, a graph input, or a constant.
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
