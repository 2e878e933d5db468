package pipeline

import (
	"math"
	"slices"
	"testing"
)

func TestCompare(t *testing.T) {
	v := compare([]float64{1, 2, 3, 2}, []float64{2, 2, 5, 3})
	if v.Pictures != 4 || v.Loss != 2 || v.UniformLoss != 3 || v.Gain != 1 {
		t.Errorf("%+v", v)
	}
	// Differences 1, 0, 2, 1: variance 1/2 about the mean, over four pictures.
	half := 1.96 * math.Sqrt(0.5/4)
	if math.Abs(v.Interval[0]-(1-half)) > 1e-12 || math.Abs(v.Interval[1]-(1+half)) > 1e-12 {
		t.Errorf("interval %v, want 1 +- %g", v.Interval, half)
	}
}

// TestUnsearched wants verdicts on other pictures than the search's, as many as there are.
func TestUnsearched(t *testing.T) {
	for _, tt := range []struct{ from, searched, want int }{{50_000, 512, judgePictures}, {2000, 512, 1488}, {600, 512, 88}, {512, 512, 512}, {100, 512, 100}} {
		got := unsearched(tt.from, tt.searched, 3)
		if len(got) != tt.want || !slices.IsSorted(got) {
			t.Errorf("%d of %d: %d pictures, want %d", tt.searched, tt.from, len(got), tt.want)
		}
		if tt.from == tt.want {
			continue
		}
		for _, i := range draw(tt.from, tt.searched, "search", 3) {
			if slices.Contains(got, i) {
				t.Fatalf("%d of %d: picture %d is of the search, too", tt.searched, tt.from, i)
			}
		}
	}
}
