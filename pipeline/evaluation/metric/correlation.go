package metric

import "math"

// Correlation is the Pearson correlation of two lists of equal length. It is 0 if one of them is constant.
func Correlation(x, y []float64) float64 {
	n := float64(max(len(x), 1))
	var mx, my float64
	for i := range x {
		mx += x[i] / n
		my += y[i] / n
	}
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx += dx * dx
		yy += dy * dy
		xy += dx * dy
	}
	const tiny = 1e-24 // rounding of the mean leaves that of equal values
	if xx <= tiny*n*mx*mx || yy <= tiny*n*my*my {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}
