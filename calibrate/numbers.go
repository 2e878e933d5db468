package calibrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// CheckNumbers runs a network with the quantizers of a plan over all batches.
//
// It is an *OverflowError if the input of a quantizer is NaN, or if an output or a quotient is not finite. Other
// infinities may be meant, such as a mask in front of a Softmax.
func CheckNumbers(ctx context.Context, g *engine.Graph, plan *quantize.Plan, source Source, o Options) error {
	var keep, read []*engine.Value
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			keep = append(keep, v)
			if slices.ContainsFunc(plan.Points, func(p quantize.Point) bool { return p.Tensor == v.Name }) {
				read = append(read, v)
			}
		}
	}
	exec, err := engine.Compile(g, engine.Options{Batch: o.Batch, Pool: o.Pool, Keep: keep, MaxBytes: o.MaxBytes})
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	err = source(ctx, func(x []float32, n int) error {
		if err := exec.SetBatch(n); err != nil {
			return err
		}
		copy(exec.Input(0).Data, x)
		if err := exec.Forward(ctx); err != nil {
			return err
		}
		if finiteOutputs(exec, g) && !onPole(exec, g) && !slices.ContainsFunc(read, func(v *engine.Value) bool { return hasNaN(exec.Value(v).Data) }) {
			return nil
		}
		return quantizedOverflow(exec, g)
	})
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	return nil
}

// onPole reports whether a quotient or a power in the last run is not finite. Its operands are then at a pole, where
// the sign of a zero decides the result, and runtimes disagree on that.
func onPole(exec *engine.Exec, g *engine.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *engine.Node) bool {
		return op.Of("", n.Op.Type()).Has(op.Quotient) && !finite(exec.Value(n.Outputs[0]).Data)
	})
}

// quantizedOverflow is the *OverflowError for the first node whose result is not finite.
func quantizedOverflow(exec *engine.Exec, g *engine.Graph) error {
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			if !finite(exec.Value(v).Data) {
				return &OverflowError{Node: n.Name, Op: n.Op.Type(), Tensor: v.Name, Quantized: true}
			}
		}
	}
	return fmt.Errorf("output %q of the quantized network holds NaN or infinite numbers", g.Outputs[0].Name)
}

// hasNaN reports whether x contains NaN.
func hasNaN(x []float32) bool { return slices.ContainsFunc(x, func(v float32) bool { return v != v }) }
