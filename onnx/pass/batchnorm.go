package pass

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// norm is a BatchNormalization that alone reads a Conv, Gemm or MatMul with constant weights, with all parameters
// decoded.
type norm struct {
	layer, node                  *onnx.Node
	weight, bias                 *onnx.Value // bias may be nil
	w, b                         []float32
	gamma, beta, mean, variance  []float32
	vGamma, vBeta, vMean, vVar   *onnx.Value
	axis, channels, inner, outer int // of the weights: outer x channels x inner
}

// normOf matches a BatchNormalization; nil where the pattern does not hold. Every parameter must have a single reader.
func normOf(n *onnx.Node) *norm {
	if n.Op() != "BatchNormalization" || n.Domain() != "" || n.Int("training_mode", 0) != 0 || n.Input(0) == nil || n.Output(0) == nil {
		return nil
	}
	x := n.Input(0)
	layer := x.Producer()
	if layer == nil || x.IsOutput() || len(x.Uses()) != 1 {
		return nil
	}
	m := &norm{layer: layer, node: n, weight: layer.Input(1), bias: layer.Input(2)}
	switch layer.Op() {
	case "Conv":
	case "MatMul": // of matrices, whose columns are what the norm takes for channels
		if s, known := x.Shape(); !known || len(s) != 2 {
			return nil
		}
		m.axis = 1
	case "Gemm":
		if layer.Float("alpha", 1) != 1 || layer.Float("beta", 1) != 1 {
			return nil
		}
		if layer.Int("transB", 0) == 0 {
			m.axis = 1
		}
	default:
		return nil
	}
	for i, p := range []struct {
		v **onnx.Value
		f *[]float32
	}{{&m.vGamma, &m.gamma}, {&m.vBeta, &m.beta}, {&m.vMean, &m.mean}, {&m.vVar, &m.variance}} {
		*p.v = n.Input(i + 1)
		if *p.f = own(*p.v); *p.f == nil {
			return nil
		}
	}
	if !m.shape() {
		return nil
	}
	return m
}

// shape checks that the channel counts agree and fills in the layout of the weights.
func (m *norm) shape() bool {
	if m.w = own(m.weight); m.w == nil {
		return false
	}
	s := m.weight.Const().Shape
	if len(s) <= m.axis {
		return false
	}
	m.outer, m.channels, m.inner = s[:m.axis].Numel(), s[m.axis], s[m.axis+1:].Numel()
	if m.bias != nil {
		if m.b = own(m.bias); len(m.b) != m.channels {
			return false
		}
	}
	for _, p := range [][]float32{m.gamma, m.beta, m.mean, m.variance} {
		if len(p) != m.channels {
			return false
		}
	}
	return true
}

// own decodes a float32 initializer that has one reader.
func own(v *onnx.Value) []float32 {
	if v == nil || v.Const() == nil || v.Const().DType != tensor.Float32 || len(v.Uses()) != 1 || v.IsOutput() {
		return nil
	}
	f, err := tensor.Floats(v.Const())
	if err != nil {
		return nil
	}
	return f
}

// scaleChannel multiplies the weights of one output channel.
func (m *norm) scaleChannel(c int, by float32) {
	for o := range m.outer {
		row := m.w[(o*m.channels+c)*m.inner:][:m.inner]
		for i := range row {
			row[i] *= by
		}
	}
}

// set stores a changed parameter under its old name and shape.
func set(v *onnx.Value, f []float32) error {
	return v.SetConst(tensor.From(v.Const().Shape, f))
}

// PositiveGamma makes the gamma of every BatchNormalization behind a Conv, Gemm or MatMul non-negative by negating that
// channel's weights, bias, mean and gamma together, which changes no bit of the result. Quantization needs it: gamma
// goes into a scale, and scales must be positive. A gamma of zero stays.
type PositiveGamma struct{ always }

// Name names the pass.
func (PositiveGamma) Name() string { return "gamma signs" }

// Apply negates channels.
func (PositiveGamma) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		p := normOf(n)
		if p == nil || !p.negate() {
			continue
		}
		modified = true
		for _, e := range []struct {
			v *onnx.Value
			f []float32
		}{{p.weight, p.w}, {p.bias, p.b}, {p.vGamma, p.gamma}, {p.vMean, p.mean}} {
			if e.v == nil {
				continue
			}
			if err := set(e.v, e.f); err != nil {
				return modified, fmt.Errorf("%s: %w", n, err)
			}
		}
	}
	return modified, nil
}

func (m *norm) negate() bool {
	modified := false
	for c, g := range m.gamma {
		if !(g < 0) {
			continue
		}
		modified = true
		m.gamma[c], m.mean[c] = -g, -m.mean[c]
		if m.b != nil {
			m.b[c] = -m.b[c]
		}
		m.scaleChannel(c, -1)
	}
	return modified
}

// FoldBatchNorm merges BatchNormalization into the Conv or Gemm before it: w*f and (b-mean)*f + beta with
// f = gamma/sqrt(variance+epsilon). Import does not run it, since training wants the BatchNormalization.
type FoldBatchNorm struct{ always }

// Name names the pass.
func (FoldBatchNorm) Name() string { return "batch normalization" }

// Apply folds every match.
func (FoldBatchNorm) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		p := normOf(n)
		if p == nil || p.layer.Op() == "MatMul" { // which takes no bias
			continue
		}
		if err := p.fold(m.Graph); err != nil {
			return modified, fmt.Errorf("%s: %w", n, err)
		}
		modified = true
	}
	return modified, nil
}

func (m *norm) fold(g *onnx.Graph) error {
	eps := float64(m.node.Float("epsilon", 1e-5))
	b := make([]float32, m.channels)
	for c := range b {
		f := float64(m.gamma[c]) / math.Sqrt(float64(m.variance[c])+eps)
		old := 0.0
		if m.b != nil {
			old = float64(m.b[c])
		}
		b[c] = float32((old-float64(m.mean[c]))*f + float64(m.beta[c]))
		m.scaleChannel(c, float32(f))
	}
	if err := set(m.weight, m.w); err != nil {
		return err
	}
	if m.bias == nil {
		v, err := g.AddInitializer(g.FreshName(m.weight.Name()+"/bias"), tensor.From(tensor.Shape{m.channels}, b))
		if err != nil {
			return err
		}
		m.layer.SetInput(2, v)
	} else if err := m.bias.SetConst(tensor.From(m.bias.Const().Shape, b)); err != nil {
		return err
	}
	_, err := bypass(g, m.node)
	return err
}
