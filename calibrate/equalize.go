package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// deviations is the number of standard deviations from its mean at which the range of a channel is assumed to end.
const deviations = 3

// Equalize gives the channels of tensors that only depthwise Convs read a common range, in place, by powers of two. It
// implements cross-layer equalization (Nagel et al. 2019, arXiv 1906.04721, section 4.1) for this case.
//
// A BatchNorm makes small channels larger, and the weights that read them compensate. One step size then fits all
// channels. Otherwise small channels, which the depthwise layer and its norm amplify, would be rounded away. The
// weights lose nothing, since a depthwise layer has a step size per channel. A Relu or LeakyRelu may stand between norm
// and layer; a Clip may not, since its bounds do not scale.
//
// The function of the model stays the same, bit for bit up to underflow. Equalize reports whether anything changed;
// ranges that were collected before are invalid then.
func Equalize(m *onnx.Model, plan *quantize.Plan) (bool, error) {
	changed := false
	for i := range plan.Layers {
		l := &plan.Layers[i]
		readers, rectified := depthwiseReaders(m, plan, l)
		if len(readers) == 0 {
			continue
		}
		done, err := equalize(m, l, readers, rectified)
		if err != nil {
			return changed, fmt.Errorf("equalize the channels of layer %q: %w", l.Node, err)
		}
		changed = changed || done
	}
	return changed, nil
}

// depthwiseReaders returns the layers that read the normalised output of layer l, possibly through a Relu or LeakyRelu.
// It is nil unless all readers are depthwise. rectified reports whether a Relu removes the negative side.
func depthwiseReaders(m *onnx.Model, plan *quantize.Plan, l *quantize.Layer) (readers []*quantize.Layer, rectified bool) {
	bn := m.Graph.Node(l.Norm)
	if l.Norm == "" || bn == nil || !own(bn.Input(1)) || !own(bn.Input(2)) {
		return nil, false
	}
	v, rectified := activated(bn.Output(0))
	if v.IsOutput() {
		return nil, false
	}
	for _, use := range v.Uses() {
		r := layerOf(plan, use.Node.Name())
		if r == nil || !r.Depthwise || r.Norm == "" || use.Index != 0 || !own(use.Node.Input(1)) {
			return nil, false
		}
		readers = append(readers, r)
	}
	return readers, rectified
}

// own reports whether v is a value that one node alone reads.
func own(v *onnx.Value) bool { return v != nil && len(v.Uses()) == 1 && !v.IsOutput() }

// activated returns the value behind the Relu or LeakyRelu that alone reads v, else v itself. It also reports whether
// that node is a Relu.
func activated(v *onnx.Value) (*onnx.Value, bool) {
	uses := v.Uses()
	if len(uses) != 1 || v.IsOutput() {
		return v, false
	}
	switch n := uses[0].Node; n.Op() {
	case "Relu":
		return n.Output(0), true
	case "LeakyRelu":
		return n.Output(0), false
	}
	return v, false
}

// layerOf returns the layer of a node, or nil.
func layerOf(plan *quantize.Plan, node string) *quantize.Layer {
	for i := range plan.Layers {
		if plan.Layers[i].Node == node {
			return &plan.Layers[i]
		}
	}
	return nil
}

// equalize is Equalize for the output of one layer.
func equalize(m *onnx.Model, l *quantize.Layer, readers []*quantize.Layer, rectified bool) (bool, error) {
	bn := m.Graph.Node(l.Norm)
	gammaName, betaName := bn.Inputs()[1].Name(), bn.Inputs()[2].Name()
	gamma, _, err := constant(m, gammaName)
	if err != nil {
		return false, err
	}
	beta, _, err := constant(m, betaName)
	if err != nil {
		return false, err
	}
	powers := levelling(gamma, beta, rectified)
	if powers == nil {
		return false, nil
	}
	for _, name := range []string{gammaName, betaName} {
		if err := scale(m, name, 0, func(c int) int { return powers[c] }); err != nil {
			return false, err
		}
	}
	for _, r := range readers {
		multiplier := r.OutChannels / len(powers)
		if err := scale(m, r.Weight, r.Axis, func(c int) int { return -powers[c/multiplier] }); err != nil {
			return false, err
		}
	}
	return true, nil
}

// levelling returns the power of two per channel that brings its range nearest to that of the widest channel. With
// rectified, only the positive side counts. Channels without range get 0. It is nil if all powers are 0.
func levelling(gamma, beta []float32, rectified bool) []int {
	ranges := make([]float64, len(gamma))
	for c, g := range gamma {
		b := float64(beta[c])
		if !rectified {
			b = math.Abs(b)
		}
		ranges[c] = b + deviations*math.Abs(float64(g))
	}
	widest := slices.Max(ranges)
	powers, changes := make([]int, len(gamma)), false
	for c, r := range ranges {
		if r > 0 {
			powers[c] = min(int(math.Log2(widest/r)), farthest)
		}
		changes = changes || powers[c] != 0
	}
	if !changes {
		return nil
	}
	return powers
}

// scale multiplies the elements of the constant name at index c of an axis by 2^power(c).
func scale(m *onnx.Model, name string, axis int, power func(c int) int) error {
	data, shape, err := constant(m, name)
	if err != nil {
		return err
	}
	return m.Graph.Value(name).SetConst(tensor.From(shape, scaled(data, shape, axis, power)))
}
