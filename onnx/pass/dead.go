package pass

import (
	wire "encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// dead is below what no weight of a channel reaches that still says anything: weight decay drives channels that nobody
// needs to 1e-40 and less. Scales of such weights, or their inverse, are no float32 numbers any more.
const dead = 1e-30

// ClearDead sets the weights of dead output channels to zero, so that they are dead to everything behind: statistics,
// steps, codes. What a norm makes of such a channel is a constant, which becomes its beta, and its statistics become
// what samples give: no variance. Its gamma becomes small, since biases are integers at a step that grows with it, and
// so far that the root of epsilon, which is all that divides it then, does not make it large again.
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
		if p == nil || !p.settle(float64(n.Float("epsilon", 1e-5))) {
			continue
		}
		for _, part := range []struct {
			v *onnx.Value
			f []float32
		}{{p.vGamma, p.gamma}, {p.vBeta, p.beta}, {p.vMean, p.mean}, {p.vVar, p.variance}} {
			if err := set(part.v, part.f); err != nil {
				return modified, err
			}
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
	c := v.Const()
	inner, channels := c.Shape[axis+1:].Numel(), c.Shape[axis]
	at := func(i int) float64 { // weights are many, and mostly nothing is to be done: they are not decoded
		return float64(math.Float32frombits(wire.LittleEndian.Uint32(c.Raw[4*i:])))
	}
	alive, small := make([]bool, channels), false
	for i := range len(c.Raw) / 4 {
		if !(math.Abs(at(i)) < dead) { // NaN is not small
			alive[i/inner%channels] = true
		}
	}
	if !slices.Contains(alive, false) {
		return false, nil
	}
	for i := range len(c.Raw) / 4 {
		small = small || at(i) != 0 && !alive[i/inner%channels]
	}
	if !small {
		return false, nil
	}
	w, err := tensor.Floats(c)
	if err != nil {
		return false, err
	}
	for i := range w {
		if !alive[i/inner%channels] {
			w[i] = 0
		}
	}
	return true, set(v, w)
}

// channelAxis is the axis of the output channels of a layer's weights; -1 where it has none, or shares them.
func channelAxis(n *onnx.Node) int {
	v := n.Input(1)
	if n.Domain() != "" || v == nil || len(v.Uses()) != 1 || v.IsOutput() || v.Const() == nil || v.Const().DType != tensor.Float32 || len(v.Const().Raw) == 0 {
		return -1
	}
	kind := n.Traits().Kind
	if kind == op.NoLayer || kind == op.ConvTranspose { // whose output channels two axes count
		return -1
	}
	last := len(v.Const().Shape) - 1
	if out, _ := kind.Axes(n.Int("transB", 0) != 0); out == 0 {
		return min(last, 0)
	}
	return last
}

// settledFactor is what norms of dead channels multiply by, and leastEpsilon what can divide them where nothing varies.
const (
	settledFactor = 1. / 256
	leastEpsilon  = 1e-12
)

// settle makes constants of what the norm gives for channels without weights, and reports whether any changed.
func (m *norm) settle(epsilon float64) bool {
	alive := make([]bool, m.channels)
	for i, x := range m.w {
		if x != 0 {
			alive[i/m.inner%m.channels] = true
		}
	}
	if !slices.Contains(alive, false) {
		return false
	}
	variance := 0.
	if epsilon < leastEpsilon {
		variance = 1
	}
	changed := false
	for _, p := range []*[]float32{&m.gamma, &m.beta, &m.mean, &m.variance} {
		*p = slices.Clone(*p)
	}
	for c := range alive {
		bias := float32(0)
		if m.b != nil {
			bias = m.b[c]
		}
		gamma := float32(settledFactor * math.Sqrt(variance+epsilon))
		if alive[c] || m.mean[c] == bias && m.variance[c] == float32(variance) && m.gamma[c] == gamma {
			continue
		}
		scale := float64(m.gamma[c]) / math.Sqrt(float64(m.variance[c])+epsilon)
		y := float32(float64(m.beta[c]) + (float64(bias)-float64(m.mean[c]))*scale)
		if math.IsNaN(float64(y)) || math.IsInf(float64(y), 0) {
			continue // the file's own fault, and for others to name
		}
		m.gamma[c], m.beta[c], m.mean[c], m.variance[c], changed = gamma, y, bias, float32(variance), true
	}
	return changed
}
