package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// farthest is the largest exponent by which Balance and Equalize scale a channel: dead channels stay small.
const farthest = 10

// Balance scales the weights of every output channel in front of a BatchNorm by a power of two, so that their norm lies
// between 1/sqrt(2) and sqrt(2), and corrects the BatchNorm. The model computes what it did, bit for bit up to the
// epsilon, but training does not: behind a BatchNorm the rate at which a channel learns goes with the inverse square of
// its norm, and files whose BatchNorms were folded hold norms from a tenth to a hundred.
func Balance(m *onnx.Model, plan *quantize.Plan) error {
	for i := range plan.Layers {
		l := &plan.Layers[i]
		if l.Norm == "" {
			continue
		}
		if err := balance(m, l); err != nil {
			return fmt.Errorf("balance layer %q: %w", l.Node, err)
		}
	}
	return nil
}

func balance(m *onnx.Model, l *quantize.Layer) error {
	bn := m.Graph.Node(l.Norm)
	if bn == nil || len(bn.Inputs()) != 5 {
		return fmt.Errorf("norm %q is not a BatchNormalization with five inputs", l.Norm)
	}
	names := [4]string{l.Weight, bn.Inputs()[1].Name(), bn.Inputs()[3].Name(), bn.Inputs()[4].Name()}
	var data [4][]float32
	var shapes [4]tensor.Shape
	for k, name := range names {
		var err error
		if data[k], shapes[k], err = constant(m, name); err != nil {
			return err
		}
	}
	variance := data[3]
	powers := exponents(data[0], shapes[0], l.Axis)
	data[0] = scaled(data[0], shapes[0], l.Axis, func(c int) int { return powers[c] })
	data[1] = slices.Clone(data[1])
	data[2] = scaled(data[2], shapes[2], 0, func(c int) int { return powers[c] })
	data[3] = scaled(variance, shapes[3], 0, func(c int) int { return 2 * powers[c] })
	epsilon := float64(bn.Float("epsilon", eps))
	for c, k := range powers {
		before, after := math.Sqrt(float64(variance[c])+epsilon), math.Sqrt(float64(data[3][c])+epsilon)
		data[1][c] = float32(float64(data[1][c]) * math.Ldexp(after/before, -k)) // gamma
	}
	for k, name := range names {
		if err := m.Graph.Value(name).SetConst(tensor.From(shapes[k], data[k])); err != nil {
			return err
		}
	}
	return nil
}

// scaled multiplies elements by a power of two for every index of an axis.
func scaled(data []float32, shape tensor.Shape, axis int, power func(c int) int) []float32 {
	out := make([]float32, len(data))
	each := shape[axis+1:].Numel()
	for j, v := range data {
		out[j] = float32(math.Ldexp(float64(v), power(j/each%shape[axis])))
	}
	return out
}

// exponents finds the power of two per index of an axis that brings its norm next to 1; none for a channel of zeros.
func exponents(w []float32, shape tensor.Shape, axis int) []int {
	out := make([]int, shape[axis])
	each := shape[axis+1:].Numel()
	sums := make([]float64, shape[axis])
	for j, v := range w {
		sums[j/each%shape[axis]] += float64(v) * float64(v)
	}
	for c, sum := range sums {
		if sum > 0 {
			out[c] = min(max(int(math.RoundToEven(-math.Log2(sum)/2)), -farthest), farthest)
		}
	}
	return out
}
