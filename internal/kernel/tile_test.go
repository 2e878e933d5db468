package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkTile runs one tile on data in L1: the most a matrix product or convolution can reach.
func BenchmarkTile(b *testing.B) {
	const k = 128
	for _, isa := range Available() {
		limit, segs := isa.tileShape()
		width := segs * segWidth
		for _, m := range []int{limit/2 + 1, limit} {
			for _, gap := range []int{0, 2} { // between segments of b
				a, x, c := make([]float32, m*k), make([]float32, k*(width+8)+64), make([]float32, m*width)
				off, src, dst := linearOffsets(k, width+8), linearOffsets(segs, segWidth+gap), linearOffsets(segs, segWidth)
				b.Run(fmt.Sprintf("%v/%d/gap%d", isa, m, gap), func(b *testing.B) {
					for b.Loop() {
						tile(isa, m, k, a, x, off, src, c, dst, width, false)
					}
					b.ReportMetric(2*float64(m*width*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
