package ops

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
)

// maxRank is the largest rank of tensors that strided operators take; no known network needs more than 6.
const maxRank = 8

// operands is how many tensors a walk can address.
const operands = 3

// walk visits an index space row by row, addressing up to three strided tensors at once: element k of row r of
// tensor j stands at offset(r)[j] + k*step[j]. Neighbouring dimensions that all tensors traverse evenly are merged,
// so rows are long.
type walk struct {
	rank   int // of the dimensions outside a row
	dims   [maxRank]int
	stride [operands][maxRank]int
	start  [operands]int
	rows   int
	inner  int // length of a row
	step   [operands]int
}

// newWalk plans a walk over dims. strides[j] are those of tensor j, starts[j] its first element (nil: 0).
func newWalk(dims tensor.Shape, starts []int, strides ...[]int) (walk, error) {
	var w walk
	if len(dims) > maxRank {
		return w, fmt.Errorf("rank %d is above %d", len(dims), maxRank)
	}
	copy(w.start[:], starts)
	w.inner, w.rows = 1, 1
	for d, size := range dims {
		if size == 1 {
			continue
		}
		if last := w.rank - 1; last >= 0 && w.even(last, size, d, strides) {
			w.dims[last] *= size
			for j := range strides {
				w.stride[j][last] = strides[j][d]
			}
			continue
		}
		w.dims[w.rank] = size
		for j := range strides {
			w.stride[j][w.rank] = strides[j][d]
		}
		w.rank++
	}
	if w.rank > 0 { // the last dimension becomes the row
		w.rank--
		w.inner = w.dims[w.rank]
		for j := range strides {
			w.step[j] = w.stride[j][w.rank]
		}
	}
	for d := range w.rank {
		w.rows *= w.dims[d]
	}
	return w, nil
}

// even reports whether dimension d continues the planned dimension last for every tensor.
func (w *walk) even(last, size, d int, strides [][]int) bool {
	for j := range strides {
		if w.stride[j][last] != strides[j][d]*size {
			return false
		}
	}
	return true
}

// offset is where row r begins in each tensor.
func (w *walk) offset(r int) [operands]int {
	at := w.start
	for d := w.rank - 1; d >= 0; d-- {
		i := r % w.dims[d]
		r /= w.dims[d]
		for j := range at {
			at[j] += i * w.stride[j][d]
		}
	}
	return at
}

// chunks is the number of parts into which rows are cut for workers, and rowSpan the rows of part i.
func (w *walk) chunks() int {
	per := w.rowsPerChunk()
	return (w.rows + per - 1) / per
}

func (w *walk) rowSpan(i int) (lo, hi int) {
	per := w.rowsPerChunk()
	return i * per, min(i*per+per, w.rows)
}

func (w *walk) rowsPerChunk() int { return max(1, engine.Block/max(w.inner, 1)) }

// injective reports whether tensor j is visited at different places by different rows.
func (w *walk) injective(j int) bool {
	for d := range w.rank {
		if w.stride[j][d] == 0 {
			return false
		}
	}
	return true
}

// broadcastStrides are the strides with which s is read as if it had shape out (aligned at the end): 0 where it is
// repeated.
func broadcastStrides(s, out tensor.Shape) []int {
	own, st := s.Strides(), make([]int, len(out))
	shift := len(out) - len(s)
	for i := range s {
		if s[i] != 1 {
			st[i+shift] = own[i]
		}
	}
	return st
}
