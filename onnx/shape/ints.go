package shape

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
)

// Elements that are not numbers: unknown ones, and the batch size, which is known to be the same everywhere. The values
// are arbitrary, but not the extremes of int64, which exporters write for "to the end" of a slice.
const (
	unknown = -(1<<62 + 0x5eed1)
	batch   = -(1<<62 + 0x5eed2)
)

// maxInts bounds the tensors whose elements are followed; shapes and pads are far smaller.
const maxInts = 4096

func isKnown(x int64) bool { return x != unknown && x != batch }

// elements decodes a small tensor of integers, nil for any other.
func elements(t *tensor.Tensor) []int64 {
	if n := t.Shape.Numel(); n < 0 || n > maxInts {
		return nil
	}
	v, err := tensor.Ints(t)
	if err != nil {
		return nil
	}
	return v
}

// dimElements are the elements that operator Shape gives for a shape.
func dimElements(s tensor.Shape) []int64 {
	out := make([]int64, len(s))
	for i, d := range s {
		switch {
		case d >= 0:
			out[i] = int64(d)
		case i == 0:
			out[i] = batch
		default:
			out[i] = unknown
		}
	}
	return out
}

// dims turns elements into a shape, -1 where an element is no number. It is false if one is negative.
func dims(v []int64) (tensor.Shape, bool) {
	s := make(tensor.Shape, len(v))
	for i, x := range v {
		switch {
		case !isKnown(x):
			s[i] = -1
		case x < 0 || x > math.MaxInt32:
			return nil, false
		default:
			s[i] = int(x)
		}
	}
	return s, true
}

// pick builds the elements of a tensor of shape out from src: source maps coordinates to an index in src.
func pick(src []int64, out tensor.Shape, source func(at []int) int) []int64 {
	n := out.Numel()
	if src == nil || n < 0 || n > maxInts {
		return nil
	}
	v := make([]int64, n)
	at := make([]int, len(out))
	for i := range v {
		v[i] = src[source(at)]
		for d := len(out) - 1; d >= 0; d-- {
			if at[d]++; at[d] < out[d] {
				break
			}
			at[d] = 0
		}
	}
	return v
}
