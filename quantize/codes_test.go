package quantize

import (
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/op"
)

// chosenNet is a supernet of a Gemm of three inputs and two output channels with codes at three bits, none of them the
// nearest.
func chosenNet() (*Supernet, Layer) {
	s := foldNet(map[string][]float32{"weight.c": {1, 1, 1, 1, 1, 1}, "step.w.c.3": {1, 0.5}, "step.w.c.4": {1, 1}, "bias.c": {0, 0}})
	s.Arrays["weight.c"] = Array{Shape: tensor.Shape{3, 2}, Data: s.Arrays["weight.c"].Data}
	s.Arrays[CodeName("c", 3)] = Array{Shape: tensor.Shape{3, 2}, Codes: []int8{3, -4, 2, -3, 0, -2}}
	return s, Layer{Node: "c", Op: "Gemm", Kind: op.Gemm, Bias: "b", Shape: tensor.Shape{3, 2}, OutChannels: 2, Axis: 1, Candidates: []int{3, 4}}
}

// TestFoldCodes: chosen codes are taken as they are, at their width alone, and not where they cannot be codes.
func TestFoldCodes(t *testing.T) {
	s, l := chosenNet()
	for w, want := range map[int][]int8{3: {3, -4, 2, -3, 0, -2}, 4: {1, 1, 1, 1, 1, 1}} {
		f, err := Fold(l, s, w, 4, 0.1)
		if err != nil || !slices.Equal(f.Codes, want) {
			t.Errorf("%d bits: codes %v, %v, want %v", w, f.Codes, err, want)
		}
	}
	for text, codes := range map[string][]int8{"outside 3 bits": {4, 0, 0, 0, 0, 0}, "5 codes": {0, 0, 0, 0, 0}, "0 codes": nil} {
		s.Arrays[CodeName("c", 3)] = Array{Shape: tensor.Shape{len(codes)}, Codes: codes}
		if _, err := Fold(l, s, 3, 4, 0.1); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("codes %v: error %v, want one with %q", codes, err, text)
		}
	}
}

// TestCheckCodes: what cannot be codes or steps of the plan is named.
func TestCheckCodes(t *testing.T) {
	_, l := chosenNet()
	plan := &Plan{Layers: []Layer{l}}
	codes, steps := Array{Codes: []int8{3, -4, 2, -3, 0, -2}}, Array{Data: []float32{1, 0.5}}
	at3, at3Steps, limited, limitedSteps := CodeName("c", 3), WeightStepName("c", 3), LimitedName(&l, PairedFlat), LimitedStepName(&l, PairedFlat)
	for _, tt := range []struct {
		name, want string
		arrays     map[string]Array
	}{
		{"good", "", map[string]Array{at3: codes, at3Steps: steps, limited: {Codes: []int8{63, -128, 0, 0, 0, 0}}, limitedSteps: steps}},
		{"none", "", nil},
		{"range", "code 4 of weight 0", map[string]Array{at3: {Codes: []int8{4, 0, 0, 0, 0, 0}}, at3Steps: steps}},
		{"number", "5 codes", map[string]Array{at3: {Codes: []int8{0, 0, 0, 0, 0}}, at3Steps: steps}},
		{"type", "0 codes", map[string]Array{at3: {Data: []float32{0, 0, 0, 0, 0, 0}}, at3Steps: steps}},
		{"limited", "only one is there", map[string]Array{limited: {Codes: []int8{63, -65, 0, 0, 0, 0}}}},
		{"limited pairs", "add up to 129", map[string]Array{limited: {Codes: []int8{65, 0, 64, 0, 0, 0}}, limitedSteps: steps}},
		{"limited steps", "only one is there", map[string]Array{limitedSteps: steps}},
		{"number of steps", "1 steps", map[string]Array{at3: codes, at3Steps: {Data: []float32{1}}}},
		{"no steps", "only one is there", map[string]Array{at3: codes}},
		{"no codes", "only one is there", map[string]Array{at3Steps: steps}},
		{"several", "5 codes in \"code.c.3\", 6 weights; and 1 problems more", map[string]Array{at3: {Codes: []int8{0, 0, 0, 0, 0}}}},
	} {
		err := plan.CheckCodes(&Supernet{Arrays: tt.arrays})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// TestDequantized: training begins with the weights that the codes of its path stand for.
func TestDequantized(t *testing.T) {
	s, l := chosenNet()
	plan := &Plan{Layers: []Layer{l}, Points: []Point{{Tensor: "x", Candidates: []int{4}}}}
	for w, want := range map[int][]float32{3: {3, -2, 2, -1.5, 0, -1}, 4: {1, 1, 1, 1, 1, 1}} {
		d, err := s.Dequantized(plan, Policy{W: []int{w}, A: []int{4}})
		if err != nil {
			t.Fatal(err)
		}
		if _, left := d.Arrays[CodeName("c", 3)]; left || !slices.Equal(d.Arrays["weight.c"].Data, want) {
			t.Errorf("%d bits: weights %v, codes left: %t, want %v", w, d.Arrays["weight.c"].Data, left, want)
		}
	}
	if s.Arrays[CodeName("c", 3)].Codes == nil || s.Arrays["weight.c"].Data[0] != 1 {
		t.Error("the supernet itself changed")
	}
	delete(s.Arrays, "step.w.c.3")
	if _, err := s.Dequantized(plan, Policy{W: []int{3}, A: []int{4}}); err == nil || !strings.Contains(err.Error(), "step.w.c.3") {
		t.Errorf("without steps: error %v", err)
	}
}

// TestOver: codes stay with the weights that they were chosen for.
func TestOver(t *testing.T) {
	s, _ := chosenNet()
	name := CodeName("c", 3)
	norms := s.Over(foldNet(map[string][]float32{"bias.c": {5, 5}}))
	if norms.Arrays["bias.c"].Data[0] != 5 || norms.Arrays[name].Codes == nil {
		t.Errorf("after other biases: %v", norms.Arrays)
	}
	trained := s.Over(foldNet(map[string][]float32{"weight.c": {2, 2, 2, 2, 2, 2}}))
	if _, left := trained.Arrays[name]; left || trained.Arrays["weight.c"].Data[0] != 2 {
		t.Errorf("after other weights: %v", trained.Arrays)
	}
	both := foldNet(map[string][]float32{"weight.c": {2, 2, 2, 2, 2, 2}})
	both.Arrays[name] = Array{Shape: tensor.Shape{6}, Codes: []int8{1, 1, 1, 1, 1, 1}}
	if got := s.Over(both).Arrays[name].Codes; !slices.Equal(got, both.Arrays[name].Codes) {
		t.Errorf("codes of the other one are %v", got)
	}
	if s.Arrays[name].Codes[0] != 3 || s.Arrays["weight.c"].Data[0] != 1 {
		t.Error("the supernet itself changed")
	}
}
