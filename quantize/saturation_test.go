package quantize

import (
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

// pairSum is what the instruction makes of two neighbouring products: their sum, saturated to 16 bits.
func pairSum(a0, a1 uint8, w0, w1 int8) int {
	return max(math.MinInt16, min(math.MaxInt16, int(a0)*int(w0)+int(a1)*int(w1)))
}

// TestLimitPairs: after the rule no two weights of a channel can saturate with any codes of the grid, whatever their
// order; channels that could not before keep their step, and 4-bit and depthwise layers are left alone.
func TestLimitPairs(t *testing.T) {
	const channels, depth = 3, 8
	weights := []float32{
		127, 126, -1, 0, 3, 0, 1, 2, // 127+126 saturates with codes of 255
		64, 64, -128, 0, 0, 0, 0, 0, // 128*255 does not
		-100, -90, 1, 0, 0, 0, 0, 0, // saturates below
	}
	plan := &Plan{
		Layers: []Layer{{Node: "l", Op: "Gemm", Point: 0, Shape: tensor.Shape{channels, depth}, OutChannels: channels, Candidates: []int{4, 8}}},
		Points: []Point{{Tensor: "x", Candidates: []int{4, 8}, Layers: []int{0}}},
	}
	one := func(n int, v float32) Array {
		return Array{Shape: tensor.Shape{n}, Data: slices.Repeat([]float32{v}, n)}
	}
	s := &Supernet{Arrays: map[string]Array{
		WeightName("l"): {Shape: tensor.Shape{channels, depth}, Data: weights}, WeightStepName("l", 8): one(channels, 1),
		WeightStepName("l", 4): one(channels, 16), StepName("x", 8): one(1, 0.1), StepName("x", 4): one(1, 0.1),
	}}
	out, limited, err := LimitPairs(plan, s, Policy{W: []int{8}, A: []int{8}})
	if err != nil || !slices.Equal(limited, []string{"l"}) {
		t.Fatalf("limited %v, %v", limited, err)
	}
	if got := out.Arrays[WeightStepName("l", 8)].Data; !slices.Equal(got, []float32{2, 1, 2}) {
		t.Errorf("steps %v", got)
	}
	if got := s.Arrays[WeightStepName("l", 8)].Data; !slices.Equal(got, []float32{1, 1, 1}) {
		t.Errorf("the argument's steps changed: %v", got)
	}
	saturates := func(s *Supernet) bool {
		f, err := Fold(plan.Layers[0], s, 8, 8, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		for k := range channels {
			row := f.Codes[k*depth : (k+1)*depth]
			for i, u := range row {
				for j, v := range row {
					if i != j && pairSum(255, 255, u, v) != 255*(int(u)+int(v)) {
						return true
					}
				}
			}
		}
		return false
	}
	if !saturates(s) || saturates(out) {
		t.Errorf("saturates before: %v, after: %v", saturates(s), saturates(out))
	}
	chosen := slices.Repeat([]int8{7}, channels*depth)
	s.Arrays[LimitedName("l")] = Array{Shape: tensor.Shape{channels, depth}, Codes: chosen}
	if out, _, err = LimitPairs(plan, s, Policy{W: []int{8}, A: []int{8}}); err != nil {
		t.Fatal(err)
	}
	codes := out.Arrays[CodeName("l", 8)].Codes
	if want := []int8{64, 64, -128, 0, 0, 0, 0, 0}; !slices.Equal(codes[:depth], chosen[:depth]) || !slices.Equal(codes[depth:2*depth], want) || saturates(out) {
		t.Errorf("codes %v: channels 0 and 2 have those that were chosen for seven bits, channel 1 stays", codes)
	}
	for _, q := range []Policy{{W: []int{4}, A: []int{8}}, {W: []int{8}, A: []int{4}}} {
		if _, limited, err := LimitPairs(plan, s, q); err != nil || len(limited) != 0 {
			t.Errorf("policy %v: limited %v, %v", q, limited, err)
		}
	}
	plan.Layers[0].Depthwise = true
	if _, limited, err := LimitPairs(plan, s, Policy{W: []int{8}, A: []int{8}}); err != nil || len(limited) != 0 {
		t.Errorf("depthwise: limited %v, %v", limited, err)
	}
}

// TestSevenBitsNeverSaturate is the arithmetic behind the rule: over all weights of 7 bits and the highest code.
func TestSevenBitsNeverSaturate(t *testing.T) {
	for w0 := -64; w0 <= 63; w0++ {
		for w1 := -64; w1 <= 63; w1++ {
			if pairSum(255, 255, int8(w0), int8(w1)) != 255*(w0+w1) {
				t.Fatalf("%d and %d saturate", w0, w1)
			}
		}
	}
	// Doubling a step halves codes of -128..127 to -64..64 by rounding; 64 and 64 still fit.
	if pairSum(255, 255, 64, 64) != 255*128 {
		t.Error("64 and 64 saturate")
	}
}
