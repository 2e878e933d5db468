package quantize

import (
	"fmt"
	"math"
)

// Folded is a layer as integer kernels compute it: y = stepX*Scale[k]*(sum of Codes*x + Bias[k]) for output channel k,
// x being the activation codes less their zero point.
type Folded struct {
	Codes []int8    // in the order of the stored weights, within the range of the weight bits
	Scale []float32 // step_w*gamma/sqrt(var+eps) per output channel, positive
	Bias  []int32   // at stepX*Scale; nil if the layer has none
}

// maxBias bounds the magnitude of a folded bias, so that it leaves half of int32 to the sum.
const maxBias = 1 << 30

// defaultEPS is ONNX's default epsilon of BatchNormalization.
const defaultEPS = 1e-5

// Fold turns a layer at w weight bits and a activation bits into integers. stepX is the step of the codes that it
// reads. A channel whose bias cannot be held at stepX*Scale (its BatchNorm scales the weights to nothing) gets codes 0,
// scale 1 and its constant as bias. It is an error if a needed array is missing or has the wrong size, or if a gamma is
// negative: scales are positive, and import makes every gamma so.
func Fold(l Layer, s *Supernet, w, a int, stepX float32) (Folded, error) {
	f, err := fold(&l, s, w, a, stepX)
	if err != nil {
		return Folded{}, fmt.Errorf("fold layer %q: %w", l.Node, err)
	}
	return f, nil
}

func fold(l *Layer, s *Supernet, w, a int, stepX float32) (Folded, error) {
	if !usableScale(stepX) {
		return Folded{}, fmt.Errorf("activation step %g is not positive", stepX)
	}
	if w < minBits || w > maxBits {
		return Folded{}, fmt.Errorf("%d weight bits are outside %d..%d", w, minBits, maxBits)
	}
	weight, err := sized(s, WeightName(l.Node), l.Shape.Numel())
	if err != nil {
		return Folded{}, err
	}
	step, err := sized(s, WeightStepName(l.Node, w), l.OutChannels)
	if err != nil {
		return Folded{}, err
	}
	factor, constant, err := affine(l, s, w, a)
	if err != nil {
		return Folded{}, err
	}
	f := Folded{Codes: make([]int8, len(weight)), Scale: make([]float32, l.OutChannels)}
	dead := make([]bool, l.OutChannels)
	if constant != nil {
		f.Bias = make([]int32, l.OutChannels)
	}
	for k := range f.Scale {
		if !usableScale(step[k]) {
			return Folded{}, fmt.Errorf("weight step %g of channel %d is not positive", step[k], k)
		}
		f.Scale[k] = float32(float64(step[k]) * factor[k])
		var c float64
		if constant != nil {
			c = constant[k]
		}
		b := math.RoundToEven(c / (float64(stepX) * float64(f.Scale[k])))
		if !usableScale(f.Scale[k]*stepX) || !(math.Abs(b) <= maxBias) {
			dead[k], f.Scale[k] = true, 1
			b = math.RoundToEven(c / float64(stepX))
		}
		if !(math.Abs(b) <= maxBias) {
			return Folded{}, fmt.Errorf("constant %g of channel %d does not fit an int32 bias at step %g", c, k, stepX)
		}
		if f.Bias != nil {
			f.Bias[k] = int32(b)
		}
	}
	if chosen, ok := s.Arrays[CodeName(l.Node, w)]; ok {
		if err := checkCodes(l, s, CodeName(l.Node, w), w); err != nil {
			return Folded{}, err
		}
		chosenCodes(l, chosen.Codes, dead, f.Codes)
		return f, nil
	}
	quantizeWeights(l, weight, step, dead, w, f.Codes)
	return f, nil
}

// chosenCodes copies codes that the supernet holds, zero for dead channels.
func chosenCodes(l *Layer, chosen []int8, dead []bool, codes []int8) {
	inner := l.Inner()
	for i, c := range chosen {
		if !dead[i/inner%l.OutChannels] {
			codes[i] = c
		}
	}
}

// quantizeWeights writes clip(rint(weight/step)) per output channel, zero for dead channels.
func quantizeWeights(l *Layer, weight, step []float32, dead []bool, bits int, codes []int8) {
	inner := l.Inner()
	lo, hi := Levels(bits, true)
	for at, k := 0, 0; at < len(weight); at, k = at+inner, (k+1)%l.OutChannels {
		if dead[k] {
			continue
		}
		for i, v := range weight[at : at+inner] {
			// The division is float32, as in training: in double a tie could round the other way.
			q := math.RoundToEven(float64(v / step[k]))
			codes[at+i] = int8(max(float64(lo), min(float64(hi), q)))
		}
	}
}

// affine is what follows the product of a layer, per output channel: y*factor + constant. constant is nil for a layer
// that adds nothing.
func affine(l *Layer, s *Supernet, w, a int) (factor, constant []float64, err error) {
	factor = make([]float64, l.OutChannels)
	for k := range factor {
		factor[k] = 1
	}
	if l.Norm == "" {
		if _, ok := s.Arrays[BiasName(l.Node)]; !ok && l.Bias == "" {
			return factor, nil, nil
		}
		bias, err := sized(s, BiasName(l.Node), l.OutChannels)
		if err != nil || (!l.Kind.Biased() && allZero(bias)) {
			return factor, nil, err
		}
		return factor, doubles(bias), nil
	}
	var part [4][]float32
	for i, name := range []string{"gamma", "beta", "mean", "var"} {
		if part[i], err = sized(s, NormName(l.Node, w, a, name), l.OutChannels); err != nil {
			return nil, nil, err
		}
	}
	eps, ok := s.EPS[l.Node]
	if !ok {
		eps = defaultEPS
	}
	constant = make([]float64, l.OutChannels)
	for k := range factor {
		gamma, beta, mean, variance := part[0][k], part[1][k], part[2][k], part[3][k]
		if !(gamma >= 0) {
			return nil, nil, fmt.Errorf("gamma %g of channel %d is negative", gamma, k)
		}
		factor[k] = float64(gamma) / math.Sqrt(float64(variance)+float64(eps))
		constant[k] = float64(beta) - float64(mean)*factor[k]
		if math.IsNaN(constant[k]) || math.IsInf(constant[k], 0) {
			return nil, nil, fmt.Errorf("the BatchNorm of channel %d is not finite", k)
		}
	}
	return factor, constant, nil
}

func sized(s *Supernet, name string, n int) ([]float32, error) {
	v, err := s.Get(name)
	if err == nil && len(v) != n {
		err = fmt.Errorf("supernet array %q has %d elements, not %d", name, len(v), n)
	}
	return v, err
}

func allZero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}

func doubles(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}
