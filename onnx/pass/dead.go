package pass

import (
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// dead is below what no weight of a channel reaches that still says anything: weight decay drives channels that nobody
// needs to 1e-40 and less. Scales of such weights, or their inverse, are no float32 numbers any more.
const dead = 1e-30

// ClearDead sets the weights of dead output channels to zero, so that they are dead to everything behind: statistics,
// steps, codes. What a norm makes of such a channel is a constant, which becomes its beta: statistics of quantized
// networks find a mean and a variance of zero there, whatever the file says.
type ClearDead struct{ always }

// Name names the pass.
func (ClearDead) Name() string { return "dead channels" }

// Apply clears channels, and settles the norms of all that are zero then.
func (ClearDead) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		cleared, err := clearDead(n)
		if err != nil {
			return modified, fmt.Errorf("dead channels of %s: %w", n, err)
		}
		modified = modified || cleared
	}
	for _, n := range m.Graph.Nodes() {
		p := normOf(n)
		if p == nil || !p.settle(n.Float("epsilon", 1e-5)) {
			continue
		}
		if err := set(p.vBeta, p.beta); err != nil {
			return modified, err
		}
		if err := set(p.vMean, p.mean); err != nil {
			return modified, err
		}
		modified = true
	}
	return modified, nil
}

// clearDead clears the channels of one layer with constant weights.
func clearDead(n *onnx.Node) (bool, error) {
	axis := channelAxis(n)
	if axis < 0 {
		return false, nil
	}
	v := n.Input(1)
	w, err := tensor.Floats(v.Const())
	if err != nil {
		return false, err
	}
	s := v.Const().Shape
	inner := s[axis+1:].Numel()
	alive, small := make([]bool, s[axis]), false
	for i, x := range w {
		if !(math.Abs(float64(x)) < dead) { // NaN is not small
			alive[i/inner%s[axis]] = true
		}
	}
	for i, x := range w {
		small = small || x != 0 && !alive[i/inner%s[axis]]
	}
	if !small {
		return false, nil
	}
	w = slices.Clone(w)
	for i := range w {
		if !alive[i/inner%s[axis]] {
			w[i] = 0
		}
	}
	return true, set(v, w)
}

// channelAxis is the axis of the output channels of a layer's weights; -1 where it has none, or shares them.
func channelAxis(n *onnx.Node) int {
	v := n.Input(1)
	if n.Domain() != "" || own(v) == nil || v.Const().Shape.Numel() == 0 {
		return -1
	}
	rank := len(v.Const().Shape)
	switch n.Op() {
	case "Conv":
		return min(rank-1, 0)
	case "Gemm":
		if n.Int("transB", 0) != 0 {
			return min(rank-1, 0)
		}
		return rank - 1
	case "MatMul":
		return rank - 1
	default:
		return -1
	}
}

// settle makes the beta of channels without weights what the norm gives for them, and reports whether any changed.
func (m *norm) settle(epsilon float32) bool {
	changed := false
	alive := make([]bool, m.channels)
	for i, x := range m.w {
		if x != 0 {
			alive[i/m.inner%m.channels] = true
		}
	}
	for c, a := range alive {
		var bias float32
		if m.b != nil {
			bias = m.b[c]
		}
		if a || m.mean[c] == bias {
			continue
		}
		scale := float64(m.gamma[c]) / math.Sqrt(float64(m.variance[c])+float64(epsilon))
		y := float32(float64(m.beta[c]) + (float64(bias)-float64(m.mean[c]))*scale)
		if math.IsNaN(float64(y)) || math.IsInf(float64(y), 0) {
			continue // the file's own fault, and for others to name
		}
		if !changed {
			m.beta, m.mean, changed = slices.Clone(m.beta), slices.Clone(m.mean), true
		}
		m.beta[c], m.mean[c] = y, bias
	}
	return changed
}
