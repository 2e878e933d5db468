package engine

import (
	"cmp"
	"slices"
	"unsafe"
)

// line is the number of floats in 64 bytes, the alignment of every buffer.
const line = 16

// block is a buffer that is alive from time first to time last, inclusive. Blocks that are alive at a common time get
// disjoint places in the arena.
type block struct {
	floats      int
	first, last int
	lasting     bool // readable from outside between runs
	offset      int  // in floats, set by layout
}

// fewBlocks is the largest number of blocks that are each compared with all others.
const fewBlocks = 1 << 13

// layout assigns the offsets of all blocks and returns the size of the arena in floats.
func layout(blocks []*block) int {
	if len(blocks) > fewBlocks {
		return layoutInTime(blocks)
	}
	return layoutBySize(blocks)
}

// layoutBySize places the largest blocks first, each in the lowest gap between placed blocks that are alive at the same
// time. On networks it stays within a few percent of the lower bound.
func layoutBySize(blocks []*block) int {
	order := slices.Clone(blocks)
	slices.SortStableFunc(order, func(a, b *block) int { return cmp.Compare(b.floats, a.floats) })
	size := 0
	var placed []*block // by offset
	for _, b := range order {
		at := 0
		for _, p := range placed {
			if p.first > b.last || p.last < b.first || p.floats == 0 {
				continue
			}
			if p.offset >= at+b.floats {
				break
			}
			at = max(at, roundLine(p.offset+p.floats))
		}
		b.offset = at
		size = max(size, at+b.floats)
		i, _ := slices.BinarySearchFunc(placed, at, func(p *block, at int) int { return cmp.Compare(p.offset, at) })
		placed = slices.Insert(placed, i, b)
	}
	return size
}

// roundLine rounds n floats up to whole lines.
func roundLine(n int) int { return (n + line - 1) / line * line }

// alignedFloats allocates n floats that start at a multiple of 64 bytes.
func alignedFloats(n int) []float32 {
	s := make([]float32, n+line)
	hugePages(s)
	skip := 0
	if r := uintptr(unsafe.Pointer(&s[0])) % 64; r != 0 {
		skip = int(64-r) / 4
	}
	return s[skip : skip+n : skip+n]
}

// bytesOf views the first n bytes of f, without copying.
func bytesOf(f []float32, n int) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), n)
}
