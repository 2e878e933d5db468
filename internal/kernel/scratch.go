package kernel

import "unsafe"

// line is a cache line, in floats; buffers start on one so that packed panels never straddle two needlessly.
const line = 16

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// arena hands out aligned pieces of one slice.
type arena struct{ free []float32 }

// newArena uses scratch where it is large enough and allocates otherwise.
func newArena(scratch []float32, need int) *arena {
	if len(scratch) < need {
		scratch = make([]float32, need)
	}
	if len(scratch) > 0 {
		if r := int(uintptr(unsafe.Pointer(&scratch[0])) / 4 % line); r != 0 && len(scratch) > line-r {
			scratch = scratch[line-r:]
		}
	}
	return &arena{scratch}
}

// take is a piece of n floats with undefined contents.
func (a *arena) take(n int) []float32 {
	padded := roundUp(n, line)
	if padded > len(a.free) {
		return make([]float32, n) // only when the caller's scratch was misaligned by less than a line
	}
	p := a.free[:n:n]
	a.free = a.free[padded:]
	return p
}

func alignedInts(n int) []int32 { return ints(newArena(nil, n+line).take(n)) }

// ints and floats view the same bits as the other type: the source of a convolution is copied as floats, whatever it
// holds.
func ints(x []float32) []int32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&x[0])), len(x))
}

func floats(x []int32) []float32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&x[0])), len(x))
}
