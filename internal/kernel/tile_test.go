package kernel

import (
	"fmt"
	"testing"
)

// TestTranspose compares with the definition for all small sizes, with gaps between rows, and checks that those stay.
func TestTranspose(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for rows := 1; rows <= 41; rows++ {
			for cols := 1; cols <= 19; cols++ {
				ldd, lds := rows+rows%3, cols+cols%2
				if rows == 1 {
					ldd = 1 + cols%2
				}
				src := normals(newRand(uint64(rows*64+cols)), rows*lds)
				got := newGuarded((cols-1)*ldd+rows, cols%4)
				want := append([]float32(nil), got.data()...)
				for i := range rows {
					for j := range cols {
						want[j*ldd+i] = src[i*lds+j]
					}
				}
				transpose(got.data(), ldd, src, lds, rows, cols)
				got.check(t)
				if err := sameBits(got.data(), want); err != nil {
					t.Fatalf("%d x %d: %v", rows, cols, err)
				}
			}
		}
	})
}

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
