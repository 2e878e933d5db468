package fakequant

import (
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// Steps holds the learned step sizes of one quantizer: one parameter per bit-width, of which one is in use. Several
// operators may share a Steps. A step size of 0 is not set yet.
type Steps struct {
	Signed bool
	// Int8 says that codes end at 127 even if they are unsigned and have 8 bits.
	Int8 bool

	low     []float32 // lowest value of an asymmetric tensor; nil for others
	bits    []int
	params  []*engine.Param
	current int
}

// newSteps makes a parameter of n step sizes for each bit-width, named by name.
func newSteps(bits []int, n int, signed bool, name func(bits int) string) *Steps {
	s := &Steps{Signed: signed, bits: slices.Clone(bits), current: len(bits) - 1}
	for _, b := range bits {
		s.params = append(s.params, engine.NewParam(name(b), engine.StepSize, tensor.Shape{n}, make([]float32, n)))
	}
	return s
}

// Bits is the bit-width in use.
func (s *Steps) Bits() int { return s.bits[s.current] }

// Widths lists the bit-widths, ascending. The caller must not change the list.
func (s *Steps) Widths() []int { return s.bits }

// Param returns the step sizes in use.
func (s *Steps) Param() *engine.Param { return s.params[s.current] }

// Params returns the step sizes of all bit-widths, ascending.
func (s *Steps) Params() []*engine.Param { return s.params }

// At returns the step sizes at a bit-width, nil if the quantizer lacks it.
func (s *Steps) At(bits int) *engine.Param {
	if i := slices.Index(s.bits, bits); i >= 0 {
		return s.params[i]
	}
	return nil
}

// levels returns the lowest and the highest code at the bit-width in use.
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

// zero is the zero point of an asymmetric quantizer, which follows the step size. It is 0 for others.
func (s *Steps) zero() int {
	if s.low == nil {
		return 0
	}
	return quantize.ZeroPoint(s.low[0], s.Param().Data[0], s.Bits())
}

// sel puts a bit-width into use. It is an error if the quantizer lacks it.
func (s *Steps) sel(bits int) error {
	i := slices.Index(s.bits, bits)
	if i < 0 {
		return fmt.Errorf("%d bits are not among %v", bits, s.bits)
	}
	s.current = i
	return nil
}

// gradScale is LSQ's factor 1/sqrt(n*p) on the gradient of a step size that n elements share, or 1 if off.
func gradScale(on bool, n int, p float32) float64 {
	if !on {
		return 1
	}
	return 1 / math.Sqrt(float64(n)*float64(p))
}
