package tensor

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Shape lists dimensions, outermost first. A dimension of -1 is unknown until run time (the batch, as a rule).
type Shape []int

// Numel is the number of elements, 1 for a scalar. It is -1 if a dimension is unknown, or if the product of the
// dimensions other than 0 overflows. The size of every part of the shape then fits in an int, too.
func (s Shape) Numel() int {
	n, empty := 1, false
	for _, d := range s {
		switch {
		case d < 0:
			return -1
		case d == 0:
			empty = true
		case n > math.MaxInt/d:
			return -1
		default:
			n *= d
		}
	}
	if empty {
		return 0
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

// Strides returns, for each dimension, the distance in elements between neighbours in a dense row-major tensor. Only
// the first dimension may be unknown.
func (s Shape) Strides() []int {
	out := make([]int, len(s))
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		out[i] = n
		n *= s[i]
	}
	return out
}

// Broadcast returns the common shape of two operands by numpy's rule, aligned at the last dimension. It is an error if
// they do not fit.
func Broadcast(a, b Shape) (Shape, error) {
	out := make(Shape, max(len(a), len(b)))
	for i := range out {
		switch x, y := a.FromEnd(len(out)-i), b.FromEnd(len(out)-i); {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return nil, fmt.Errorf("shapes %s and %s do not broadcast", a, b)
		}
	}
	return out, nil
}

// FromEnd returns dimension k counted from the end, beginning with 1. It is 1 in front of the first dimension.
func (s Shape) FromEnd(k int) int {
	if k > len(s) {
		return 1
	}
	return s[len(s)-k]
}

// Axis converts an ONNX axis, which may count from the end, to 0..rank-1. Others are an error.
func Axis(a int64, rank int) (int, error) {
	if a < -int64(rank) || a >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside rank %d", a, rank)
	}
	if a < 0 {
		a += int64(rank)
	}
	return int(a), nil
}

// String returns text such as "64x3x32x32", with "?" for an unknown dimension and "scalar" for rank 0.
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
