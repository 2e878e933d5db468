package metric

import (
	"math"
	"testing"
)

func TestCorrelation(t *testing.T) {
	for _, tt := range []struct {
		name string
		x, y []float64
		want float64
	}{
		{"the same up to scale", []float64{1, 2, 4}, []float64{10, 12, 16}, 1},
		{"opposite", []float64{1, 2, 4}, []float64{-1, -2, -4}, -1},
		{"unrelated", []float64{1, 2, 1, 2}, []float64{1, 1, 2, 2}, 0},
		{"partly", []float64{1, 2, 3}, []float64{1, 3, 2}, 0.5},
		{"constant", []float64{1, 1, 1}, []float64{1, 2, 3}, 0},
		{"constant but for rounding of the mean", []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, []float64{330.8, 330.8, 330.8, 330.8, 330.8, 330.8}, 0},
		{"nothing", nil, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Correlation(tt.x, tt.y); math.Abs(got-tt.want) > 1e-12 {
				t.Errorf("got %g, want %g", got, tt.want)
			}
		})
	}
}
