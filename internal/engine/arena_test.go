package engine

import (
	"math/rand/v2"
	"testing"
)

func TestLayoutKeepsLiveBlocksApart(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var blocks []*block
		sum, peak := 0, make([]int, 60)
		for range 80 {
			first := r.IntN(50)
			b := &block{floats: r.IntN(1000), first: first, last: first + r.IntN(10)}
			blocks = append(blocks, b)
			sum += roundLine(b.floats)
			for i := b.first; i <= b.last; i++ {
				peak[i] += roundLine(b.floats)
			}
		}
		size := layout(blocks)
		for i, a := range blocks {
			if a.offset%line != 0 || a.offset+a.floats > size {
				t.Fatalf("block at %d+%d in an arena of %d", a.offset, a.floats, size)
			}
			for _, b := range blocks[:i] {
				alive := a.first <= b.last && b.first <= a.last
				meet := a.offset < b.offset+b.floats && b.offset < a.offset+a.floats
				if alive && meet {
					t.Fatalf("blocks %+v and %+v overlap", *a, *b)
				}
			}
		}
		bound := 0
		for _, p := range peak {
			bound = max(bound, p)
		}
		if float64(size) > 1.3*float64(bound) {
			t.Errorf("arena takes %d floats, %d live at the worst time (sum %d)", size, bound, sum)
		}
	}
}

func TestAligned(t *testing.T) {
	for n := range 40 {
		if s := alignedFloats(n); len(s) != n || cap(s) != n {
			t.Errorf("%d floats: len %d cap %d", n, len(s), cap(s))
		}
	}
}
