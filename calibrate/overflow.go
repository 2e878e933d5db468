package calibrate

import (
	"context"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
)

// OverflowError says that numbers of a model exceed the range of float32 on the calibration samples.
type OverflowError struct {
	Node, Op string // where it begins; "" for the input
	Tensor   string // output of the node
	Most     float64
	// Quantized says that it begins at an operator that has no finite result for quantized inputs, such as a zero
	// denominator.
	Quantized bool
}

// Error implements error.
func (e *OverflowError) Error() string {
	what := "holds NaN or infinite numbers"
	if e.Most > 0 {
		what = fmt.Sprintf("holds numbers up to %.1g, whose variance no float32 holds", e.Most)
	}
	at := fmt.Sprintf("tensor %q, the output of node %q (%s),", e.Tensor, e.Node, e.Op)
	if e.Node == "" {
		at = fmt.Sprintf("input %q", e.Tensor)
	}
	if e.Quantized {
		return fmt.Sprintf("%s %s once what it reads is quantized: add a small constant to that and export the model again, "+
			"or keep the layers in front of the node in float with --exclude", at, what)
	}
	return fmt.Sprintf("%s %s on the calibration samples: look at the weights of that node, and whether the preprocessing "+
		"(--mean, --std) is that of the model", at, what)
}

// overflow runs a batch x of n samples once more with all values kept. It names the first tensor that statistics cannot
// be taken of.
func overflow(ctx context.Context, g *engine.Graph, st *Statistics, x []float32, n int, pool *par.Pool) error {
	if !finite(x) {
		return &OverflowError{Tensor: g.Inputs[0].Name}
	}
	var keep []*engine.Value
	for _, node := range g.Nodes {
		keep = append(keep, node.Outputs...)
	}
	exec, err := engine.Compile(g, engine.Options{Batch: n, Pool: pool, Keep: keep})
	if err != nil {
		return fmt.Errorf("locate an overflow: %w", err)
	}
	copy(exec.Input(0).Data, x)
	if err := exec.Forward(ctx); err != nil {
		return fmt.Errorf("locate an overflow: %w", err)
	}
	for _, node := range g.Nodes {
		for _, v := range node.Outputs {
			e := &OverflowError{Node: node.Name, Op: node.Op.Type(), Tensor: v.Name}
			data := exec.Value(v).Data
			if !finite(data) {
				return e
			}
			if c := st.Channels[v.Name]; c != nil && !c.usable() {
				e.Most = most(data)
				return e
			}
		}
	}
	return fmt.Errorf("output %q holds NaN or infinite numbers on the calibration samples", g.Outputs[0].Name)
}

// finiteOutputs reports whether the outputs of the last run are finite.
func finiteOutputs(exec *engine.Exec, g *engine.Graph) bool {
	for i := range g.Outputs {
		if !finite(exec.Output(i).Data) {
			return false
		}
	}
	return true
}

// finite reports whether all elements are finite.
func finite(x []float32) bool {
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}

// most returns the largest magnitude.
func most(x []float32) float64 {
	var m float64
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}
