package quantize

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

func TestOutputKinds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		stated []string
		shape  tensor.Shape
		want   OutputKind
	}{
		{"a row", nil, tensor.Shape{-1, 10}, Scores},
		{"a row with trailing ones", nil, tensor.Shape{-1, 10, 1, 1}, Scores},
		{"one number", nil, tensor.Shape{-1, 1}, Values},
		{"a number per sample", nil, tensor.Shape{-1}, Values},
		{"a map", nil, tensor.Shape{-1, 10, 4, 4}, Values},
		{"tokens", nil, tensor.Shape{-1, 7, 10}, Values},
		{"all stated", []string{"values"}, tensor.Shape{-1, 10}, Values},
		{"this one stated", []string{"scores", "y=values"}, tensor.Shape{-1, 10}, Values},
		{"another stated", []string{"z=values"}, tensor.Shape{-1, 10}, Scores},
	} {
		kinds, err := ParseOutputKinds(tc.stated)
		if err != nil {
			t.Fatal(err)
		}
		if got := kinds.Of("y", tc.shape); got != tc.want {
			t.Errorf("%s: %s", tc.name, got)
		}
	}
	for _, bad := range [][]string{{"y"}, {"=values"}, {"y=maps"}, {"y=values", "y=scores"}} {
		if _, err := ParseOutputKinds(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
