package pass

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// TestNameHardSwish: the usual pieces of HardSwish become one operator, others stay.
func TestNameHardSwish(t *testing.T) {
	pieces := func(opset int64, shift float32) *builder {
		b := build(t, opset).in("x", -1, 8).floats("3", tensor.Shape{}, shift).floats("0", tensor.Shape{}, 0).floats("6", tensor.Shape{1}, 6)
		return b.floats("top", tensor.Shape{}, 6).floats("sixth", tensor.Shape{}, 1./6).op("Tanh", "x", "r").op("Mul", "r top", "v").
			op("Add", "v 3", "a").op("Clip", "a 0 top", "c")
	}
	gate := func(alpha float32) *builder {
		return pieces(17, 3).op("HardSigmoid", "v", "h", onnx.FloatAttr("alpha", alpha))
	}
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"divided last", pieces(17, 3).op("Mul", "v c", "m").op("Div", "m 6", "y").out("y"), "Tanh Mul HardSwish"},
		{"gate divided", pieces(17, 3).op("Div", "c 6", "g").op("Mul", "g v", "p").op("Tanh", "p", "y").out("y"), "Tanh Mul HardSwish Tanh"},
		{"times a sixth", pieces(17, 3).op("Mul", "c v", "m").op("Mul", "sixth m", "y").out("y"), "Tanh Mul HardSwish"},
		{"HardSigmoid", gate(1./6).op("Mul", "h v", "y").out("y"), "Tanh Mul HardSwish"},
		{"another slope", gate(0.2).op("Mul", "h v", "y").out("y"), "Tanh Mul HardSigmoid Mul"},
		{"another shift", pieces(17, 2).op("Mul", "v c", "m").op("Div", "m 6", "y").out("y"), "Tanh Mul Add Clip Mul Div"},
		{"gate of another value", gate(1./6).op("Mul", "h r", "y").out("y"), "Tanh Mul HardSigmoid Mul"},
		{"gate read twice", gate(1./6).op("Mul", "h v", "y").out("y", "h"), "Tanh Mul HardSigmoid Mul"},
		{"not divided", pieces(17, 3).op("Mul", "v c", "y").out("y"), "Tanh Mul Add Clip Mul"},
		{"product read twice", pieces(17, 3).op("Mul", "v c", "m").op("Div", "m 6", "y").out("y", "m"), "Tanh Mul Add Clip Mul Div"},
		{"opset without it", pieces(13, 3).op("Mul", "v c", "m").op("Div", "m 6", "y").out("y"), "Tanh Mul Add Clip Mul Div"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantOperators(t, agrees(t, tt.m, 2e-6), tt.want) })
	}
}
