package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// farthest is the largest exponent by which Balance and Equalize scale a channel. It keeps dead channels small.
const farthest = 10

// Balance scales the weights of every output channel in front of a BatchNorm by a power of two, in place, and corrects
// the BatchNorm. The Euclidean norm of a channel's weights then lies between 1/sqrt(2) and sqrt(2).
//
// The function of the model stays the same, bit for bit up to the epsilon, but training does not. Behind a BatchNorm,
// the effective learning rate of a channel is proportional to the inverse square of that norm. Files whose BatchNorms
// were folded hold norms from 0.1 to 100. It is an error if a constant of a layer cannot be read.
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

// balance is Balance for one layer.
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

// scaled returns data of the given shape with all elements at index c of an axis multiplied by 2^power(c).
func scaled(data []float32, shape tensor.Shape, axis int, power func(c int) int) []float32 {
	out := make([]float32, len(data))
	each := shape[axis+1:].Numel()
	for j, v := range data {
		out[j] = float32(math.Ldexp(float64(v), power(j/each%shape[axis])))
	}
	return out
}

// exponents returns, per index of an axis, the power of two that brings the norm of its elements nearest to 1. It is 0
// for a channel of zeros.
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
