package lint

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// everything is one rule per check.
func everything() []Rule {
	var rules []Rule
	for _, c := range []Checker{
		Opset(21), Scales, Container(tensor.Uint8), Zero, Pairs, IntegerClip, IntegerOperators, Static, Layers, Operands, Fusion, Bias,
		FloatBias, Residual, Levels, FloatLevels, Saturation(quantize.PairedFlat), Quant, QuantWidths, QuantWeights, Predecessors,
		NoQuantizers, Encodings, EncodingWidths,
	} {
		rules = append(rules, Rule{Name: "rule", Check: c})
	}
	return rules
}

// TestOmitted: no check panics on a document of which an input is left out, or the constant behind it is another.
func TestOmitted(t *testing.T) {
	for _, of := range []func(t *testing.T) *onnx.Model{document, clipped, quants, encoded} {
		whole := of(t)
		for _, n := range whole.Graph.Nodes() {
			for i := range n.Inputs() {
				for _, damage := range []func(n *onnx.Node){
					func(n *onnx.Node) { n.SetInput(i, nil) },
					func(n *onnx.Node) {
						if v := n.Input(i); v.Const() != nil {
							set(t, v, tensor.From(tensor.Shape{0}, []float32{}))
						}
					},
					func(n *onnx.Node) {
						if v := n.Input(i); v.Const() != nil {
							set(t, v, tensor.From(tensor.Shape{3}, []int64{1, 2, 3}))
						}
					},
				} {
					m := whole.Clone()
					damage(m.Graph.Node(n.Name()))
					if _, err := Check(m, Conventions{Rules: everything(), Bare: true}); err != nil {
						t.Errorf("%s, input %d: %v", n, i, err)
					}
					if _, err := Saturating(m, quantize.PairedEither); err != nil {
						t.Errorf("%s, input %d: %v", n, i, err)
					}
				}
			}
		}
	}
}

// TestCheck: findings come in the order of the rules, and what cannot be checked is an error.
func TestCheck(t *testing.T) {
	m := document(t)
	m.SetOpset("", 22)
	m.Graph.Node("/q").SetInput(2, nil)
	rules := []Rule{{Name: "second", Check: Scales, Warning: true}, {Name: "first", Check: Opset(21)}}
	findings, err := Check(m, Conventions{Rules: rules})
	if err != nil || len(findings) != 2 || findings[0].Rule != "second" || !findings[0].Warning || findings[1].Rule != "first" || findings[1].Warning {
		t.Errorf("%v, %v", findings, err)
	}
	float := encoded(t)
	if _, err := Check(float, Conventions{}); err == nil || !strings.Contains(err.Error(), "lint: the model has no quantized layers") {
		t.Errorf("a float model: %v", err)
	}
	if _, err := Check(float, Conventions{Bare: true}); err != nil {
		t.Error(err)
	}
	m.SetMetadata(metadata.PolicyKey, "{")
	if _, err := Check(m, Conventions{}); err == nil || !strings.Contains(err.Error(), metadata.PolicyKey) {
		t.Errorf("a damaged description: %v", err)
	}
}

// TestForeign: of another program's document the layers are the nodes with quantized weights, of 8 bits.
func TestForeign(t *testing.T) {
	d := foreign(document(t))
	if len(d.Layers) != 1 || d.Layers[0] != (metadata.LayerBits{Node: "/c", W: 8, A: 8}) || len(d.Tensors) != 0 {
		t.Errorf("%+v", d)
	}
}

// TestSaturating lists layers in the order in which a runtime pairs weights, and none where it adds in 32 bits.
func TestSaturating(t *testing.T) {
	m := document(t)
	set(t, input(m, "/w", 0), tensor.From(tensor.Shape{2, 2, 1, 1}, []int8{127, 127, 1, 2}))
	for order, want := range map[quantize.Pairing]int{quantize.PairedFlat: 1, quantize.PairedEither: 1, quantize.Unpaired: 0} {
		names, err := Saturating(m, order)
		if err != nil || len(names) != want || want > 0 && names[0] != "/c" {
			t.Errorf("order %v: %v, %v", order, names, err)
		}
	}
	if _, err := Saturating(onnx.New(17), quantize.PairedFlat); err == nil {
		t.Error("a model of another program has no description")
	}
}
