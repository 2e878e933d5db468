package tensor

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Shape lists dimensions, outermost first. A dimension of -1 is unknown until run time (the batch, as a rule).
type Shape []int

// Numel is the number of elements: 1 for a scalar, -1 if a dimension is unknown or the product overflows.
func (s Shape) Numel() int {
	n := 1
	for _, d := range s {
		if d < 0 {
			return -1
		}
		if d != 0 && n > math.MaxInt/d {
			return -1
		}
		n *= d
	}
	return n
}

// Equal reports whether both shapes have the same rank and dimensions.
func (s Shape) Equal(o Shape) bool {
	if len(s) != len(o) {
		return false
	}
	for i := range s {
		if s[i] != o[i] {
			return false
		}
	}
	return true
}

// Clone returns an independent copy; the copy of a scalar's empty shape is empty, not nil.
func (s Shape) Clone() Shape { return slices.Clone(s) }

// WithBatch returns a copy in which a leading unknown dimension is replaced by n.
func (s Shape) WithBatch(n int) Shape {
	c := s.Clone()
	if len(c) > 0 && c[0] < 0 {
		c[0] = n
	}
	return c
}

// String prints "64x3x32x32", "?" standing for an unknown dimension and "scalar" for rank 0.
func (s Shape) String() string {
	if len(s) == 0 {
		return "scalar"
	}
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = fmt.Sprint(d)
		if d < 0 {
			parts[i] = "?"
		}
	}
	return strings.Join(parts, "x")
}
