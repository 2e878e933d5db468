package quantize

import (
	"fmt"
	"maps"
	"strings"

	"github.com/mpqc/mpqc/internal/safetensors"
)

// Array is a named parameter or statistic of the supernet, row-major: float32 numbers (Data, of a Shape), or codes of
// weights (Codes).
type Array = safetensors.Array

// Supernet is everything that training produced, by name:
//
//	weight.<layer>                              float weights, shape as in the document
//	bias.<layer>                                bias of a layer without Norm
//	bn.<layer>.<w>_<a>.gamma|beta|mean|var      switchable BatchNorm of a layer at w weight and a activation bits
//	step.w.<layer>.<bits>                       weight step per output channel
//	code.<layer>.<bits>                         codes of the weights at a width, where they are not the nearest ones
//	code.<layer>.8.limited                      those in place of which pairs of the nearest ones could saturate
//	step.w.<layer>.8.limited                    weight step per output channel of these
//	step.a.<tensor>.<bits>                      activation step of a point
//	step.s.<tensor>                             step of an 8-bit stream
//	low.<tensor>                                where the values of an asymmetric point begin, calibrated
//
// <layer> is Layer.Node, <tensor> is Point.Tensor. Other names (optimizer state) may be present and are ignored here.
type Supernet struct {
	Arrays map[string]Array
	// EPS is the epsilon of each layer's BatchNorm.
	EPS map[string]float32
}

// WeightName is the name of the float weights of a layer.
func WeightName(layer string) string { return "weight." + layer }

// BiasName is the name of the bias of a layer.
func BiasName(layer string) string { return "bias." + layer }

// WeightStepName is the name of a layer's weight step sizes at a bit-width.
func WeightStepName(layer string, bits int) string { return fmt.Sprintf("step.w.%s.%d", layer, bits) }

// StepName is the name of the activation step size of a tensor at a bit-width.
func StepName(tensor string, bits int) string { return fmt.Sprintf("step.a.%s.%d", tensor, bits) }

// StreamName is the name of the step size of an 8-bit stream.
func StreamName(tensor string) string { return "step.s." + tensor }

// LowName is the name of the lowest value that an asymmetric tensor has codes for, one number of at most 0.
func LowName(tensor string) string { return "low." + tensor }

// NormName names one array (gamma, beta, mean, var) of a layer's BatchNorm for a pair of bit-widths.
func NormName(layer string, w, a int, part string) string {
	return fmt.Sprintf("bn.%s.%d_%d.%s", layer, w, a, part)
}

// Get returns the named array or an error that names it.
func (s *Supernet) Get(name string) ([]float32, error) {
	a, ok := s.Arrays[name]
	if !ok {
		return nil, fmt.Errorf("supernet has no array %q", name)
	}
	return a.Data, nil
}

// Over returns s with the arrays of over in place of its own. Codes belong to the weights that they were chosen for: if
// over holds weights of a layer, only its own codes of that layer remain.
func (s *Supernet) Over(over *Supernet) *Supernet {
	out := &Supernet{Arrays: maps.Clone(s.Arrays), EPS: s.EPS}
	for name := range over.Arrays {
		if layer, ok := strings.CutPrefix(name, WeightName("")); ok {
			out.dropCodes(layer)
		}
	}
	maps.Copy(out.Arrays, over.Arrays)
	return out
}
