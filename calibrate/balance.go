package calibrate

import (
	"fmt"
	"math"

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
		data[k] = append([]float32(nil), data[k]...)
	}
	w, gamma, mean, variance := data[0], data[1], data[2], data[3]
	epsilon := float64(bn.Float("epsilon", eps))
	powers := exponents(w, shapes[0], l.Axis)
	each := shapes[0][l.Axis+1:].Numel()
	for j := range w {
		w[j] = float32(math.Ldexp(float64(w[j]), powers[j/each%len(powers)]))
	}
	for c, k := range powers {
		before := math.Sqrt(float64(variance[c]) + epsilon)
		mean[c] = float32(math.Ldexp(float64(mean[c]), k))
		variance[c] = float32(math.Ldexp(float64(variance[c]), 2*k))
		after := math.Sqrt(float64(variance[c]) + epsilon)
		gamma[c] = float32(float64(gamma[c]) * math.Ldexp(after/before, -k))
	}
	for k, name := range names {
		if err := m.Graph.Value(name).SetConst(tensor.From(shapes[k], data[k])); err != nil {
			return err
		}
	}
	return nil
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
