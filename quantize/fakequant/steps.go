package fakequant

import (
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// Steps are the learned step sizes of one quantizer, one parameter per bit-width, and which of them is in use. Several
// operators may share one Steps. A step of 0 is not set yet.
type Steps struct {
	Signed bool
	// Int8 says that codes end at 127 even where they are unsigned and have 8 bits.
	Int8 bool

	low     []float32 // where the values of an asymmetric tensor begin; nil for others
	bits    []int
	params  []*engine.Param
	current int
}

// newSteps makes a parameter of n steps for each bit-width; name gives its name.
func newSteps(bits []int, n int, signed bool, name func(bits int) string) *Steps {
	s := &Steps{Signed: signed, bits: slices.Clone(bits), current: len(bits) - 1}
	for _, b := range bits {
		s.params = append(s.params, engine.NewParam(name(b), engine.StepSize, tensor.Shape{n}, make([]float32, n)))
	}
	return s
}

// Bits is the bit-width in use.
func (s *Steps) Bits() int { return s.bits[s.current] }

// Widths are the bit-widths that can be put into use, ascending.
func (s *Steps) Widths() []int { return s.bits }

// Param holds the step sizes in use.
func (s *Steps) Param() *engine.Param { return s.params[s.current] }

// Params are the step sizes of all bit-widths, ascending.
func (s *Steps) Params() []*engine.Param { return s.params }

// At are the step sizes of a bit-width, nil if the quantizer does not have it.
func (s *Steps) At(bits int) *engine.Param {
	if i := slices.Index(s.bits, bits); i >= 0 {
		return s.params[i]
	}
	return nil
}

// levels are the lowest and highest code of the bit-width in use.
func (s *Steps) levels() (lo, hi float32) {
	if s.low != nil {
		z := s.zero()
		return float32(-z), float32(int(1)<<s.Bits() - 1 - z)
	}
	l, h := quantize.Levels(s.Bits(), s.Signed)
	if s.Int8 {
		h = min(h, math.MaxInt8)
	}
	return float32(l), float32(h)
}

// zero is the zero point in use of an asymmetric quantizer, 0 of others. It follows the step size.
func (s *Steps) zero() int {
	if s.low == nil {
		return 0
	}
	return quantize.ZeroPoint(s.low[0], s.Param().Data[0], s.Bits())
}

// sel puts a bit-width into use.
func (s *Steps) sel(bits int) error {
	i := slices.Index(s.bits, bits)
	if i < 0 {
		return fmt.Errorf("%d bits are not among %v", bits, s.bits)
	}
	s.current = i
	return nil
}

// gradScale is LSQ's optional factor 1/sqrt(n*p) on the gradient of a step that n elements share.
func gradScale(on bool, n int, p float32) float64 {
	if !on {
		return 1
	}
	return 1 / math.Sqrt(float64(n)*float64(p))
}
