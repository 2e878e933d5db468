package quantize

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/op"
)

// pairSum is what the instruction makes of two neighbouring products: their sum, saturated to 16 bits.
func pairSum(a0, a1 uint8, w0, w1 int8) int {
	return max(math.MinInt16, min(math.MaxInt16, int(a0)*int(w0)+int(a1)*int(w1)))
}

// limitNet is a layer of three output channels with eight weights each, at steps of 1.
func limitNet(weights []float32) (*Plan, *Supernet) {
	const channels, depth = 3, 8
	one := func(n int, v float32) Array {
		return Array{Shape: tensor.Shape{n}, Data: slices.Repeat([]float32{v}, n)}
	}
	plan := &Plan{
		Layers: []Layer{{Node: "l", Op: "Gemm", Kind: op.Gemm, Point: 0, Shape: tensor.Shape{channels, depth}, OutChannels: channels, InputAxis: 1, Candidates: []int{4, 8}}},
		Points: []Point{{Tensor: "x", Candidates: []int{4, 8}, Layers: []int{0}}},
	}
	return plan, &Supernet{Arrays: map[string]Array{
		WeightName("l"): {Shape: tensor.Shape{channels, depth}, Data: weights}, WeightStepName("l", 8): one(channels, 1),
		WeightStepName("l", 4): one(channels, 16), StepName("x", 8): one(1, 0.1), StepName("x", 4): one(1, 0.1),
	}}
}

// codesAt8 are the codes of limitNet's layer at 8 bits.
func codesAt8(t *testing.T, plan *Plan, s *Supernet) []int8 {
	t.Helper()
	f, err := Fold(plan.Layers[0], s, 8, 8, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	return f.Codes
}

// saturates reports whether the products of any two partners in rows of eight do, with the highest activations.
func saturates(codes []int8) bool {
	for i := 0; i < len(codes); i += 2 {
		if u, v := codes[i], codes[i+1]; pairSum(255, 255, u, v) != 255*(int(u)+int(v)) {
			return true
		}
	}
	return false
}

// TestLimitPairs: no two partners can saturate any more, in clipped channels neither; channels that could not keep
// their step; 4-bit and depthwise layers are left alone.
func TestLimitPairs(t *testing.T) {
	plan, s := limitNet([]float32{
		3, 0, 127, 126, 0, 0, 1, 2, // 127+126 saturates with codes of 255
		1, 127, 126, 2, -128, 0, 0, 0, // no pair of these
		1, 0, -400, -300, 0, 0, 0, 0, // -128-128 does, and would at twice the step
	})
	all8 := Policy{W: []int{8}, A: []int{8}}
	out, limited, err := LimitPairs(plan, s, all8, PairedFlat)
	if err != nil || !slices.Equal(limited, []string{"l"}) {
		t.Fatalf("limited %v, %v", limited, err)
	}
	step := out.Arrays[WeightStepName("l", 8)].Data
	if step[0] < 253.0/129 || step[0] > 2 || step[1] != 1 || step[2] < 256.0/129 || step[2] > 2.1 {
		t.Errorf("steps %v", step)
	}
	if got := s.Arrays[WeightStepName("l", 8)].Data; !slices.Equal(got, []float32{1, 1, 1}) {
		t.Errorf("the argument's steps changed: %v", got)
	}
	if !saturates(codesAt8(t, plan, s)) || saturates(codesAt8(t, plan, out)) {
		t.Errorf("codes %v, limited %v", codesAt8(t, plan, s), codesAt8(t, plan, out))
	}
	for _, q := range []Policy{{W: []int{4}, A: []int{8}}, {W: []int{8}, A: []int{4}}} {
		if _, limited, err := LimitPairs(plan, s, q, PairedFlat); err != nil || len(limited) != 0 {
			t.Errorf("policy %v: limited %v, %v", q, limited, err)
		}
	}
	plan.Layers[0].Depthwise, plan.Layers[0].Groups = true, 3
	if _, limited, err := LimitPairs(plan, s, all8, PairedFlat); err != nil || len(limited) != 0 {
		t.Errorf("depthwise: limited %v, %v", limited, err)
	}
	plan.Layers[0].Groups = 1 // several output channels of each, which are computed as those of other groups are
	if _, limited, err := LimitPairs(plan, s, all8, PairedFlat); err != nil || len(limited) != 1 {
		t.Errorf("depthwise with a multiplier: limited %v, %v", limited, err)
	}
	s.Arrays[CodeName("l", 8)] = Array{Shape: tensor.Shape{3, 8}, Codes: slices.Repeat([]int8{100}, 24)}
	if _, _, err := LimitPairs(plan, s, all8, PairedFlat); err == nil || !strings.Contains(err.Error(), "whatever the step") {
		t.Errorf("fixed codes: %v", err)
	}
}

// TestLimitPairsChosen: channels that could saturate have the codes that were chosen for them, at their steps, and
// training of what a file holds begins with the weights that it computes with.
func TestLimitPairsChosen(t *testing.T) {
	plan, s := limitNet([]float32{127, 126, 0, 0, 0, 0, 0, 0, 1, 127, 126, 2, 0, 0, 0, 0, -128, -127, 0, 0, 0, 0, 0, 0})
	all8 := Policy{W: []int{8}, A: []int{8}}
	chosen := slices.Repeat([]int8{7}, 24)
	s.Arrays[LimitedName(&plan.Layers[0], PairedFlat)] = Array{Shape: tensor.Shape{3, 8}, Codes: chosen}
	if _, _, err := LimitPairs(plan, s, all8, PairedFlat); err == nil {
		t.Error("codes without steps were taken")
	}
	s.Arrays[LimitedStepName(&plan.Layers[0], PairedFlat)] = Array{Shape: tensor.Shape{3}, Data: []float32{1.5, 9, 0.75}}
	out, _, err := LimitPairs(plan, s, all8, PairedFlat)
	if err != nil {
		t.Fatal(err)
	}
	codes, want := codesAt8(t, plan, out), slices.Concat(chosen[:8], []int8{1, 127, 126, 2, 0, 0, 0, 0}, chosen[:8])
	if step := out.Arrays[WeightStepName("l", 8)].Data; !slices.Equal(codes, want) || !slices.Equal(step, []float32{1.5, 1, 0.75}) {
		t.Errorf("codes %v at %v: channels 0 and 2 have those that were chosen, channel 1 stays", codes, step)
	}
	begin, err := out.Dequantized(plan, all8)
	if err != nil {
		t.Fatal(err)
	}
	if got := codesAt8(t, plan, begin); !slices.Equal(got, codes) {
		t.Errorf("codes %v after dequantizing, %v before", got, codes)
	}
	if _, limited, err := LimitPairs(plan, begin, all8, PairedFlat); err != nil || len(limited) != 0 {
		t.Errorf("limited again: %v, %v", limited, err)
	}
	s.Arrays[LimitedName(&plan.Layers[0], PairedFlat)] = Array{Shape: tensor.Shape{2, 8}, Codes: chosen[:16]}
	if _, _, err := LimitPairs(plan, s, all8, PairedFlat); err == nil {
		t.Error("codes of another shape were taken")
	}
	s.Arrays[LimitedName(&plan.Layers[0], PairedFlat)] = Array{Shape: tensor.Shape{3, 8}, Codes: slices.Repeat([]int8{70}, 24)}
	if _, _, err := LimitPairs(plan, s, all8, PairedFlat); err == nil || !strings.Contains(err.Error(), "add up to 140") {
		t.Errorf("codes that could saturate: %v", err)
	}
}

// TestLimitPairsColumns is TestLimitPairsChosen for a matrix whose output channels are columns.
func TestLimitPairsColumns(t *testing.T) {
	plan, s := limitNet([]float32{127, 3, 127, 126, 0, 0, 5, 0, 1, 0, 0, -9})
	l := &plan.Layers[0]
	l.Shape, l.Axis = tensor.Shape{4, 3}, 1
	s.Arrays[WeightName("l")] = Array{Shape: l.Shape, Data: s.Arrays[WeightName("l")].Data}
	s.Arrays[LimitedName(&plan.Layers[0], PairedFlat)] = Array{Shape: l.Shape, Codes: []int8{64, 7, 7, 63, 7, 7, 2, 7, 7, 0, 7, 7}}
	s.Arrays[LimitedStepName(&plan.Layers[0], PairedFlat)] = Array{Shape: tensor.Shape{3}, Data: []float32{2, 9, 9}}
	out, _, err := LimitPairs(plan, s, Policy{W: []int{8}, A: []int{8}}, PairedFlat)
	if err != nil {
		t.Fatal(err)
	}
	codes, step := codesAt8(t, plan, out), out.Arrays[WeightStepName("l", 8)].Data
	if !slices.Equal(codes, []int8{64, 3, 127, 63, 0, 0, 2, 0, 1, 0, 0, -9}) || !slices.Equal(step, []float32{2, 1, 1}) {
		t.Errorf("codes %v at %v: column 0 has those that were chosen", codes, step)
	}
}

// TestPairedEither: filters of an odd number of channels are bounded in both orders, with codes of their own or wider
// steps; others are bounded as for PairedFlat, with its codes.
func TestPairedEither(t *testing.T) {
	plan, s := limitNet(make([]float32, 36))
	l := &plan.Layers[0]
	l.Op, l.Shape = "Conv", tensor.Shape{3, 3, 2, 2} // flat: 00 and 10 are partners, and 20 and 01
	weights := make([]float32, 36)
	weights[1], weights[8] = 127, 126  // 01 and 20 of channel 0
	weights[13], weights[17] = 120, 9  // 01 and 11 of channel 1
	weights[26], weights[30] = 60, 100 // 02 and 12 of channel 2, partners in both orders
	s.Arrays[WeightName("l")] = Array{Shape: l.Shape, Data: weights}
	all8 := Policy{W: []int{8}, A: []int{8}}
	for _, tt := range []struct {
		order Pairing
		want  []int // channels that change
	}{{Unpaired, nil}, {PairedFlat, []int{0, 2}}, {PairedEither, []int{0, 1, 2}}} {
		out, _, err := LimitPairs(plan, s, all8, tt.order)
		if err != nil {
			t.Fatal(err)
		}
		var changed []int
		for k, step := range out.Arrays[WeightStepName("l", 8)].Data {
			if step != 1 {
				changed = append(changed, k)
			}
		}
		if !slices.Equal(changed, tt.want) {
			t.Errorf("pairing %d: channels %v are bounded, want %v", tt.order, changed, tt.want)
		}
		if worst := slices.Max(WorstPairs(codesAt8(t, plan, out), l.Shape, l.Axis, tt.order)); worst > PairLimit {
			t.Errorf("pairing %d: two codes add up to %d", tt.order, worst)
		}
	}
	if LimitedName(l, PairedEither) == LimitedName(l, PairedFlat) {
		t.Error("a filter of three channels has one set of codes for two orders")
	}
	for _, shape := range []tensor.Shape{{3, 4, 3, 3}, {3, 5, 1, 1}, {3, 8}} {
		even := Layer{Node: "l", Shape: shape}
		if LimitedName(&even, PairedEither) != LimitedName(&even, PairedFlat) || len(even.Pairings()) != 1 {
			t.Errorf("%v: the orders are one", shape)
		}
	}
}

// TestPartners compares with filters reordered to [position, input channel] and read by fours, and with the rows of
// matrices.
func TestPartners(t *testing.T) {
	const in, height, width = 3, 3, 5
	var order []int
	for p := range height * width {
		for c := range in {
			order = append(order, c*height*width+p)
		}
	}
	want := make([]int, len(order))
	for first := 0; first < len(order); first += 4 {
		four := append(slices.Clone(order[first:min(first+4, len(order))]), -1, -1, -1)[:4]
		for i, at := range four {
			if at >= 0 {
				want[at] = four[[]int{1, 0, 3, 2}[i]]
			}
		}
	}
	if got := Partners([]int{4, in, height, width}, 0, PairedFlat); len(got) != 1 || !slices.Equal(got[0], want) {
		t.Errorf("partners %v, want %v", got, want)
	}
	for axis, shape := range [][]int{{7, 5}, {5, 7}} {
		if got := Partners(shape, axis, PairedEither); len(got) != 1 || !slices.Equal(got[0], []int{1, 0, 3, 2, -1}) {
			t.Errorf("matrix %v: %v", shape, got)
		}
	}
	// A matrix [4, 2] with a column per output channel: -100 and -28 are partners, so are 1 and 2; 127 and 3.
	if worst := WorstPairs([]int8{5, 127, 60, 3, -100, 1, -28, 2}, []int{4, 2}, 1, PairedFlat); !slices.Equal(worst, []int{128, 130}) {
		t.Errorf("worst pairs %v", worst)
	}
}

// TestPairLimit is the arithmetic behind the rule: over all pairs of weights within it and the highest code, and what
// is one beyond.
func TestPairLimit(t *testing.T) {
	for w0 := -128; w0 <= 127; w0++ {
		for w1 := -128; w1 <= 127; w1++ {
			exact := pairSum(255, 255, int8(w0), int8(w1)) == 255*(w0+w1)
			within := (w0 < 0) != (w1 < 0) || max(w0+w1, -w0-w1) <= PairLimit
			if within && !exact {
				t.Fatalf("%d and %d saturate", w0, w1)
			}
			if !within && exact {
				t.Fatalf("%d and %d do not saturate", w0, w1)
			}
		}
	}
}
