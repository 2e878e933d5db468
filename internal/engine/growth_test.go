package engine

import (
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
)

// pass is a Pointwise operator that nobody runs.
type passing struct{ Pointwise }

func (passing) Head() bool { return false }

func (passing) Type() string { return "Pass" }

// TestFuseIsLinear fuses chains: of one input, and of sums that each read the value in front of the chain as well.
func TestFuseIsLinear(t *testing.T) {
	for _, c := range []struct {
		name string
		sum  bool
	}{{"chain", false}, {"sums", true}} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Growth(t, 1000, func(n int) func() {
				shape := tensor.Shape{-1, 4, 8, 8}
				first := &Value{Name: "x", Shape: shape}
				last := first
				var nodes []*Node
				for i := range n {
					out := &Value{Name: "v", Shape: shape}
					in := []*Value{last}
					if c.sum && i%2 == 1 {
						in = append(in, &Value{Name: "other", Shape: shape})
					}
					nodes = append(nodes, &Node{Op: passing{}, Inputs: in, Outputs: []*Value{out}})
					last = out
				}
				return func() {
					if fused := fuse(nodes, []*Value{last}); len(fused) != 1 {
						t.Fatalf("%d nodes are left", len(fused))
					}
				}
			})
		})
	}
}

// TestLayoutInTime keeps blocks that live at one time apart, in an arena not much larger than what lives at the worst
// time, and takes time in proportion to the blocks.
func TestLayoutInTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		blocks, peak := randomBlocks(r, 300)
		size := layoutInTime(blocks)
		checkApart(t, blocks, size)
		if float64(size) > 1.8*float64(peak) {
			t.Errorf("arena takes %d floats, %d live at the worst time", size, peak)
		}
	}
	for _, nested := range []bool{false, true} { // a backward sweep reads values in the opposite order
		testkit.Growth(t, 1000, func(n int) func() {
			blocks, _ := randomBlocks(r, n)
			if nested {
				for i, b := range blocks {
					b.first, b.last = i, 2*n-i
				}
			}
			return func() { layoutInTime(blocks) }
		})
	}
}

func randomBlocks(r *rand.Rand, n int) (blocks []*block, peak int) {
	live := make([]int, n+10)
	for range n {
		first := r.IntN(n)
		b := &block{floats: r.IntN(1000), first: first, last: first + r.IntN(10)}
		for i := b.first; i <= b.last; i++ {
			live[i] += roundLine(b.floats)
			peak = max(peak, live[i])
		}
		blocks = append(blocks, b)
	}
	return blocks, peak
}

func checkApart(t *testing.T, blocks []*block, size int) {
	t.Helper()
	for i, a := range blocks {
		if a.offset%line != 0 || a.offset+a.floats > size {
			t.Fatalf("block at %d+%d in an arena of %d", a.offset, a.floats, size)
		}
		for _, b := range blocks[:i] {
			alive := a.first <= b.last && b.first <= a.last
			if alive && a.offset < b.offset+b.floats && b.offset < a.offset+a.floats {
				t.Fatalf("blocks %+v and %+v overlap", *a, *b)
			}
		}
	}
}
