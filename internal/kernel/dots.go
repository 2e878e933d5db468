package kernel

// Dot64 computes the sum of x[i]*y[i] for i < len(y), each product rounded: in four lanes, by i modulo 4, and then of
// the lanes.
func Dot64(x, y []float64) float64 {
	var lanes [4]float64
	return dotLanes(&lanes, x, y, 0)
}

// Dots64 computes Dot64 of four x, to the bit.
func Dots64(x *[4][]float64, y []float64) (dots [4]float64) {
	for _, row := range x {
		if len(row) < len(y) {
			panic("kernel: Dots64: slices of different length")
		}
	}
	var sums [4][4]float64
	n := dots64Arch(x, y, &sums)
	for r := range x {
		dots[r] = dotLanes(&sums[r], x[r], y, n)
	}
	return dots
}

// dotLanes goes on from a multiple of four, in lanes that hold what lies in front of it.
func dotLanes(lanes *[4]float64, x, y []float64, from int) float64 {
	a, b, c, d := lanes[0], lanes[1], lanes[2], lanes[3]
	x = x[:len(y)]
	i := from
	for ; i+4 <= len(y); i += 4 {
		a += float64(x[i] * y[i])
		b += float64(x[i+1] * y[i+1])
		c += float64(x[i+2] * y[i+2])
		d += float64(x[i+3] * y[i+3])
	}
	for ; i < len(y); i++ {
		a += float64(x[i] * y[i])
	}
	return (a + b) + (c + d)
}
