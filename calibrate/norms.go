package calibrate

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// eps is the epsilon of inserted norms, as in pass.InsertNorm.
const eps = 1e-5

// wantsNorm reports whether l is a Conv without BatchNorm.
func wantsNorm(l quantize.Layer) bool { return l.Kind.Spatial() && l.Norm == "" }

// Norms inserts a BatchNorm behind every Conv of the plan that has none, in place. gamma is the standard deviation and
// beta the mean of the Conv's output on the calibration samples, so that the function stays the same. Switchable
// BatchNorm, which the method needs, then exists in every model.
//
// The plan no longer fits the model afterwards. It is an error if st lacks a Conv, or if a constant cannot be read.
func Norms(m *onnx.Model, plan *quantize.Plan, st *Statistics) error {
	for _, l := range plan.Layers {
		if !wantsNorm(l) {
			continue
		}
		conv, c := m.Graph.Node(l.Node), st.Channels[l.Output]
		if conv == nil || c == nil {
			return fmt.Errorf("insert norm behind %q: it is not in the model or has no statistics", l.Node)
		}
		bias, err := biasOf(conv, l.OutChannels)
		if err != nil {
			return fmt.Errorf("insert norm behind %q: %w", l.Node, err)
		}
		mean, variance := c.Moments()
		n := len(mean)
		gamma, beta, mu, va := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range n {
			va[i] = float32(variance[i])
			gamma[i] = float32(math.Sqrt(float64(va[i]) + eps))
			beta[i] = float32(mean[i])
			mu[i] = beta[i] - bias[i]
		}
		if err := pass.InsertNorm(m, conv, gamma, beta, mu, va); err != nil {
			return fmt.Errorf("insert norm behind %q: %w", l.Node, err)
		}
	}
	return nil
}

// biasOf returns the constant bias of a Conv, or zeros.
func biasOf(conv *onnx.Node, channels int) ([]float32, error) {
	if len(conv.Inputs()) < 3 || conv.Inputs()[2] == nil {
		return make([]float32, channels), nil
	}
	t := conv.Inputs()[2].Const()
	if t == nil {
		return nil, fmt.Errorf("its bias is not constant")
	}
	b, err := tensor.Floats(t)
	if err == nil && len(b) != channels {
		err = fmt.Errorf("its bias has %d elements for %d channels", len(b), channels)
	}
	return b, err
}
