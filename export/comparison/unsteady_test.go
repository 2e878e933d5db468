package comparison

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/export/metadata"
)

// TestUnsteady: beside a pole a few elements may be anything, many may not; elsewhere none may.
func TestUnsteady(t *testing.T) {
	tensors := []metadata.TensorBits{{Tensor: "a", Bits: 8}}
	outputs := func(first ...uint8) Outputs {
		o := Outputs{Codes: map[string][]uint8{"a": make([]uint8, 400)}, Name: "y", Logits: make([]float32, 400), Classes: 1}
		for i, c := range first {
			o.Codes["a"][i] = c
			if c > 0 {
				o.Logits[i] = float32(math.Inf(1))
			}
		}
		return o
	}
	tests := []struct {
		name     string
		unsteady []string
		got      []uint8
		wrong    bool
	}{
		{"equal", nil, nil, false},
		{"far", nil, []uint8{255}, true},
		{"a few beside a pole", []string{"a", "y"}, []uint8{255, 0, 255}, false},
		{"many beside a pole", []string{"a", "y"}, []uint8{9, 9, 9, 9, 9}, true},
		{"beside the pole of another", []string{"b"}, []uint8{255}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := outputs()
			want.Unsteady = tt.unsteady
			c := Of(tensors, want, outputs(tt.got...))
			if got := c.Wrong(1) != nil; got != tt.wrong {
				t.Errorf("code %v", c.Wrong(1))
			}
			if got := c.Astray(OutputTolerance) != nil; got != tt.wrong {
				t.Errorf("output %v", c.Astray(OutputTolerance))
			}
			if len(tt.got) > 0 && c.Astray(0) == nil {
				t.Error("no output differs")
			}
		})
	}
}

// TestBetter takes each tensor from where less of it differs.
func TestBetter(t *testing.T) {
	tensors := []metadata.TensorBits{{Tensor: "a", Bits: 8}, {Tensor: "b", Bits: 8}}
	codes := func(a, b uint8) Outputs {
		return Outputs{Codes: map[string][]uint8{"a": {a}, "b": {b}}, Logits: []float32{1}, Classes: 1}
	}
	want := codes(5, 5)
	x, y := Of(tensors, want, codes(5, 9)), Of(tensors, want, codes(8, 5))
	if c := Better(x, y); c.Wrong(1) != nil || c.Different != 0 || c.Compared != 2 {
		t.Errorf("%+v", c)
	}
	if c := Better(x, Of(tensors, want, codes(5, 8))); c.Wrong(1) == nil || c.Wrong(1).Tensor != "b" {
		t.Errorf("%+v", c)
	}
}
