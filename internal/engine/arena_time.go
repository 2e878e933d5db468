package engine

import (
	"cmp"
	"container/heap"
	"math/bits"
	"slices"
)

// layoutInTime places blocks in the order of their first use, each in the smallest gap that fits. Its time is nearly
// proportional to the number of blocks. The arena is some percent larger than that of layoutBySize.
func layoutInTime(blocks []*block) int {
	order := slices.Clone(blocks)
	slices.SortStableFunc(order, func(a, b *block) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last), cmp.Compare(b.floats, a.floats))
	})
	a := arena{}
	var alive ending
	for _, b := range order {
		for len(alive) > 0 && alive[0].last < b.first {
			a.free(heap.Pop(&alive).(*block))
		}
		if b.floats == 0 {
			b.offset = 0
			continue
		}
		b.offset = a.take(roundLine(b.floats))
		heap.Push(&alive, b)
	}
	return a.size
}

// span is a gap in the arena.
type span struct{ at, floats int }

// arena indexes its gaps by place, and by size in buckets of powers of two.
type arena struct {
	size   int
	starts map[int]int // size of each gap by its start
	ends   map[int]int // and by its end
	sizes  [64][]span  // may hold spans that are no longer gaps
}

// take returns the offset of a place for a block, at the end if no gap fits.
func (a *arena) take(floats int) int {
	for k := bucket(floats); k < len(a.sizes); k++ {
		list := a.sizes[k]
		for i := len(list) - 1; i >= max(0, len(list)-tries); i-- {
			s := list[i]
			stale := a.starts[s.at] != s.floats
			if !stale && s.floats < floats {
				continue
			}
			list = slices.Delete(list, i, i+1)
			a.sizes[k] = list
			if stale {
				continue
			}
			a.cut(s)
			if s.floats > floats {
				a.add(span{s.at + floats, s.floats - floats})
			}
			return s.at
		}
	}
	at := a.size
	a.size += floats
	return at
}

// tries is the largest number of gaps of about the right size to look at for a block.
const tries = 64

// free turns a block into a gap, merged with its neighbours.
func (a *arena) free(b *block) {
	s := span{b.offset, roundLine(b.floats)}
	if n, ok := a.ends[s.at]; ok {
		before := span{s.at - n, n}
		a.cut(before)
		s = span{before.at, before.floats + s.floats}
	}
	if n, ok := a.starts[s.at+s.floats]; ok {
		behind := span{s.at + s.floats, n}
		a.cut(behind)
		s.floats += n
	}
	a.add(s)
}

// add inserts a gap.
func (a *arena) add(s span) {
	if a.starts == nil {
		a.starts, a.ends = map[int]int{}, map[int]int{}
	}
	a.starts[s.at], a.ends[s.at+s.floats] = s.floats, s.floats
	k := bucket(s.floats)
	a.sizes[k] = append(a.sizes[k], s)
}

// cut removes a gap.
func (a *arena) cut(s span) {
	delete(a.starts, s.at)
	delete(a.ends, s.at+s.floats)
}

// bucket is floor(log2(floats)).
func bucket(floats int) int { return bits.Len(uint(floats)) - 1 }

// ending is a heap of blocks by their last use.
type ending []*block

// Len is part of heap.Interface.
func (e ending) Len() int { return len(e) }

// Less is part of heap.Interface.
func (e ending) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].last, e[j].last), cmp.Compare(e[i].offset, e[j].offset)) < 0
}

// Swap is part of heap.Interface.
func (e ending) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push is part of heap.Interface.
func (e *ending) Push(x any) { *e = append(*e, x.(*block)) }

// Pop is part of heap.Interface.
func (e *ending) Pop() any {
	old := *e
	b := old[len(old)-1]
	*e = old[:len(old)-1]
	return b
}
