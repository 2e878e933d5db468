package engine

import (
	"cmp"
	"container/heap"
	"math/bits"
	"slices"
)

// layoutInTime goes through the blocks as they come to life, each in the smallest gap that it fits in, so that many blocks
// cost little more than few. The arena is larger than that of layoutBySize by some percent.
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

// arena knows its gaps by place and by size, in buckets of powers of two.
type arena struct {
	size   int
	starts map[int]int // gaps: their sizes by where they start
	ends   map[int]int // and by where they end
	sizes  [64][]span  // some of which are no gaps any more
}

// take finds a place for a block, at the end if there is no gap.
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

// tries bounds the gaps of about the right size that are looked at for a block.
const tries = 64

// free makes a gap of a block, one with those beside it.
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

func (a *arena) add(s span) {
	if a.starts == nil {
		a.starts, a.ends = map[int]int{}, map[int]int{}
	}
	a.starts[s.at], a.ends[s.at+s.floats] = s.floats, s.floats
	k := bucket(s.floats)
	a.sizes[k] = append(a.sizes[k], s)
}

func (a *arena) cut(s span) {
	delete(a.starts, s.at)
	delete(a.ends, s.at+s.floats)
}

// bucket is the number of binary digits.
func bucket(floats int) int { return bits.Len(uint(floats)) - 1 }

// ending orders blocks by when they die.
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
