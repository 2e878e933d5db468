package tensor_test

import (
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

func TestBroadcast(t *testing.T) {
	type shape = tensor.Shape
	for _, c := range []struct{ a, b, want shape }{
		{shape{2, 3}, shape{2, 3}, shape{2, 3}},
		{shape{2, 1}, shape{3}, shape{2, 3}},
		{shape{}, shape{4, 1}, shape{4, 1}},
		{shape{1, 5}, shape{7, 1, 1}, shape{7, 1, 5}},
		{shape{-1, 3}, shape{3}, shape{-1, 3}},
		{shape{0, 3}, shape{1, 3}, shape{0, 3}},
		{shape{2}, shape{3}, nil},
		{shape{2, 3}, shape{2}, nil},
	} {
		for _, pair := range [][2]shape{{c.a, c.b}, {c.b, c.a}} {
			if got, err := tensor.Broadcast(pair[0], pair[1]); (err == nil) != (c.want != nil) || !got.Equal(c.want) {
				t.Errorf("%v: %v, %v, want %v", pair, got, err, c.want)
			}
		}
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		axis int64
		want int
		ok   bool
	}{{0, 0, true}, {2, 2, true}, {3, 0, false}, {-1, 2, true}, {-3, 0, true}, {-4, 0, false}, {1 << 62, 0, false}, {-1 << 63, 0, false}} {
		if got, err := tensor.Axis(c.axis, 3); got != c.want || (err == nil) != c.ok {
			t.Errorf("axis %d of 3: %d, %v", c.axis, got, err)
		}
	}
}

func TestStrides(t *testing.T) {
	for _, c := range []struct {
		shape tensor.Shape
		want  []int
	}{{tensor.Shape{}, []int{}}, {tensor.Shape{-1, 3, 4}, []int{12, 4, 1}}, {tensor.Shape{5, 0, 2}, []int{0, 2, 1}}} {
		if got := c.shape.Strides(); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.shape, got, c.want)
		}
	}
}
