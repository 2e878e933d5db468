package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Supernet returns the starting point of training: the float weights, every switchable BatchNorm equal to that of the
// model, and step sizes. Step sizes have the least squared error: of tensors on the calibration samples, of weights per
// output channel.
//
// plan is that of the model after Norms. It is an error if a constant cannot be read.
func Supernet(m *onnx.Model, plan *quantize.Plan, st *Statistics, pool *par.Pool) (*quantize.Supernet, error) {
	return SupernetFrom(MSE, m, plan, st, pool)
}

// SupernetFrom is Supernet with the ranges of step sizes chosen by r.
func SupernetFrom(r Ranges, m *onnx.Model, plan *quantize.Plan, st *Statistics, pool *par.Pool) (*quantize.Supernet, error) {
	s := &quantize.Supernet{Arrays: map[string]quantize.Array{}, EPS: map[string]float32{}}
	for i := range plan.Layers {
		if err := layerArrays(s, m, plan, &plan.Layers[i]); err != nil {
			return nil, fmt.Errorf("calibrate layer %q: %w", plan.Layers[i].Node, err)
		}
	}
	weightSteps(r, s, plan, pool)
	for i := range plan.Points {
		p := &plan.Points[i]
		h := st.Points[p.Tensor]
		if h == nil {
			return nil, fmt.Errorf("calibrate tensor %q: no statistics", p.Tensor)
		}
		if p.Asymmetric {
			set(s, quantize.LowName(p.Tensor), tensor.Shape{1}, []float32{h.LowFrom(r)})
		}
		if p.Stream {
			set(s, quantize.StreamName(p.Tensor), tensor.Shape{1}, []float32{step(r, h, p, 8)})
		}
		for _, b := range widths(p.Fixed, p.Candidates) {
			set(s, quantize.StepName(p.Tensor, b), tensor.Shape{1}, []float32{step(r, h, p, b)})
		}
	}
	return s, nil
}

// step returns the step size of a point. At 8 bits an unsigned tensor in int8 has as many positive codes as a signed
// one.
func step(r Ranges, h *Histogram, p *quantize.Point, bits int) float32 {
	if p.Asymmetric {
		return h.AsymmetricStepFrom(r, bits, h.LowFrom(r))
	}
	return h.StepFrom(r, bits, p.Signed || p.Int8 && bits == 8)
}

// set stores an array in a supernet.
func set(s *quantize.Supernet, name string, shape tensor.Shape, data []float32) {
	s.Arrays[name] = quantize.Array{Shape: shape, Data: data}
}

// widths returns the candidates of a layer or point: 8 alone if it is fixed.
func widths(fixed bool, candidates []int) []int {
	if fixed || len(candidates) == 0 {
		return []int{8}
	}
	return candidates
}

// layerArrays stores weights, bias and norms of a layer.
func layerArrays(s *quantize.Supernet, m *onnx.Model, plan *quantize.Plan, l *quantize.Layer) error {
	w, shape, err := constant(m, l.Weight)
	if err != nil {
		return err
	}
	set(s, quantize.WeightName(l.Node), shape, w)
	if l.Norm == "" {
		bias := make([]float32, l.OutChannels)
		if l.Bias != "" {
			if bias, _, err = constant(m, l.Bias); err != nil {
				return err
			}
		}
		set(s, quantize.BiasName(l.Node), tensor.Shape{len(bias)}, bias)
		return nil
	}
	bn := m.Graph.Node(l.Norm)
	if bn == nil || len(bn.Inputs()) != 5 {
		return fmt.Errorf("norm %q is not a BatchNormalization with five inputs", l.Norm)
	}
	s.EPS[l.Node] = bn.Float("epsilon", eps)
	point := &plan.Points[l.Point]
	for k, part := range []string{"gamma", "beta", "mean", "var"} {
		v, shape, err := constant(m, bn.Inputs()[1+k].Name())
		if err != nil {
			return err
		}
		for _, wb := range widths(l.Fixed, l.Candidates) {
			for _, ab := range widths(l.Fixed || point.Fixed, point.Candidates) {
				set(s, quantize.NormName(l.Node, wb, ab, part), shape.Clone(), append([]float32(nil), v...))
			}
		}
	}
	return nil
}

// constant returns the elements and the shape of a float32 constant.
func constant(m *onnx.Model, name string) ([]float32, tensor.Shape, error) {
	v := m.Graph.Value(name)
	if v == nil || v.Const() == nil {
		return nil, nil, fmt.Errorf("initializer %q is missing", name)
	}
	data, err := tensor.Floats(v.Const())
	if err != nil {
		return nil, nil, fmt.Errorf("initializer %q: %w", name, err)
	}
	return data, v.Const().Shape, nil
}

// weightSteps stores the step sizes of all weights. Layers are independent tasks of the pool.
func weightSteps(r Ranges, s *quantize.Supernet, plan *quantize.Plan, pool *par.Pool) {
	steps := make([][][]float32, len(plan.Layers))
	pool.Run(len(plan.Layers), func(i int) {
		l := &plan.Layers[i]
		w := s.Arrays[quantize.WeightName(l.Node)]
		for _, b := range widths(l.Fixed, l.Candidates) {
			steps[i] = append(steps[i], channelSteps(r, w.Data, w.Shape, l.Axis, b))
		}
	})
	for i, l := range plan.Layers {
		for k, b := range widths(l.Fixed, l.Candidates) {
			set(s, quantize.WeightStepName(l.Node, b), tensor.Shape{len(steps[i][k])}, steps[i][k])
		}
	}
}

// emptyStep is the step size of a layer with zero weights only. Its biases are integers at a multiple of it, and they
// are all that the layer computes. In other layers a channel of zeros has step size 1.
const emptyStep = 1. / 256

// channelSteps returns the step size for each index of an axis of w.
func channelSteps(r Ranges, w []float32, shape tensor.Shape, axis, bits int) []float32 {
	inner := 1
	for _, d := range shape[axis+1:] {
		inner *= d
	}
	channels := shape[axis]
	out := make([]float32, channels)
	if !slices.ContainsFunc(w, func(v float32) bool { return v != 0 }) {
		return slices.Repeat([]float32{emptyStep}, channels)
	}
	var row []float64
	for c := range channels {
		row = row[:0]
		for start := c * inner; start < len(w); start += channels * inner {
			for _, v := range w[start : start+inner] {
				row = append(row, float64(v))
			}
		}
		out[c] = float32(rowStep(r, row, bits))
	}
	return out
}

// rowStep returns the step size of one channel.
func rowStep(r Ranges, row []float64, bits int) float64 {
	var most float64
	for _, v := range row {
		most = max(most, math.Abs(v))
	}
	if most == 0 {
		return 1
	}
	hi := positive(bits, true)
	if r == MinMax {
		return most / hi
	}
	lo := -hi - 1
	return leastError(most/hi, hi, func(s float64) float64 {
		var sum float64
		for _, v := range row {
			d := v - s*min(max(math.RoundToEven(v/s), lo), hi)
			sum += d * d
		}
		return sum
	})
}
