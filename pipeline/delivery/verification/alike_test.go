package verification

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

// TestAlike: outputs are alike that differ by rounding, not those of another shape, type or number that is none.
func TestAlike(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	floats := func(x ...float32) *tensor.Tensor { return tensor.From(tensor.Shape{len(x)}, x) }
	for _, tt := range []struct {
		name      string
		want, got *tensor.Tensor
		alike     bool
	}{
		{"equal", floats(1, 2), floats(1, 2), true},
		{"rounded", floats(1, 1e6), floats(1.000001, 1e6+1), true},
		{"beyond", floats(1), floats(1.001), false},
		{"small numbers", floats(0), floats(1e-6), true},
		{"both NaN", floats(nan), floats(nan), true},
		{"one NaN", floats(nan), floats(0), false},
		{"both infinite", floats(inf), floats(inf), true},
		{"infinite and large", floats(inf), floats(math.MaxFloat32), false},
		{"other signs", floats(inf), floats(-inf), false},
		{"other shape", floats(1, 2), tensor.From(tensor.Shape{2, 1}, []float32{1, 2}), false},
		{"missing", floats(1), nil, false},
		{"other type", floats(1), tensor.From(tensor.Shape{1}, []int64{1}), false},
		{"equal classes", tensor.From(tensor.Shape{1}, []int64{7}), tensor.From(tensor.Shape{1}, []int64{7}), true},
		{"other classes", tensor.From(tensor.Shape{1}, []int64{7}), tensor.From(tensor.Shape{1}, []int64{8}), false},
	} {
		if got := alike(tt.want, tt.got); got != tt.alike {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
