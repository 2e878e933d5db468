package comparison

import (
	"testing"

	"github.com/mpqc/mpqc/export/metadata"
)

func TestTie(t *testing.T) {
	r := Rounded{Scale: 0.25}
	for x, want := range map[float32]bool{0.125: true, -0.125: true, 0.12503: true, 0.13: false, 0: false, 0.25: false, 15.625: true, 15.624: false} {
		if r.Tie(x) != want {
			t.Errorf("%g: %t", x, !want)
		}
	}
}

// TestCrowded: many codes one off are crowded, and what explains them takes them out of the count; codes farther off
// stay wrong.
func TestCrowded(t *testing.T) {
	tensors := []metadata.TensorBits{{Tensor: "near", Bits: 8}, {Tensor: "far", Bits: 8}, {Tensor: "few", Bits: 8}}
	codes := func() map[string][]uint8 {
		return map[string][]uint8{"near": make([]uint8, 1000), "far": make([]uint8, 1000), "few": make([]uint8, 1000)}
	}
	want, got := Outputs{Codes: codes()}, Outputs{Codes: codes()}
	for i := range 20 {
		got.Codes["near"][i], got.Codes["far"][i] = 1, 1
	}
	got.Codes["far"][30], got.Codes["few"][0] = 2, 1
	c := Of(tensors, want, got)
	if list := c.Crowded(); len(list) != 1 || list[0] != "near" {
		t.Fatalf("crowded %v", list)
	}
	if w := c.Wrong(1); w == nil || w.Tensor != "near" {
		t.Errorf("wrong %v", w)
	}
	c.Explain("near", 2)
	if w := c.Wrong(1); w == nil || w.Tensor != "far" || c.Different != 2+21+1 {
		t.Errorf("wrong %v, %d differ", w, c.Different)
	}
}
