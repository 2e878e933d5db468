package quantize_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// TestNewPlanRefusesNumbers: NaN is an error wherever it stands, an infinity only among parameters, and both name the
// constant, its node and the element.
func TestNewPlanRefusesNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := []struct {
		constant string
		value    float32
		want     string
	}{
		{"w0", nan, `initializer "w0" of Conv node "/c0": element 3 is NaN`},
		{"b0", -inf, `initializer "b0" of Conv node "/c0": element 3 is -Inf`},
		{"vv", inf, `initializer "vv" of BatchNormalization node "/n1": element 3 is +Inf`},
		{"w4", nan, `initializer "w4" of Gemm node "/y": element 3 is NaN`},
		{"hi", nan, `initializer "hi" of Clip node "/k": element 3 is NaN`},
		{"hi", inf, ""},
		{"w4", math.MaxFloat32, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.constant, tt.value), func(t *testing.T) {
			m := doc(t, append(block()[:13:13], "Clip f - hi:4 -> k ?x8", "Gemm k w4:8x5 b4:5 -> y ?x5")...)
			v := m.Graph.Value(tt.constant)
			f, err := tensor.Floats(v.Const())
			if err != nil {
				t.Fatal(err)
			}
			f[3] = tt.value
			if err := v.SetConst(tensor.From(v.Const().Shape, f)); err != nil {
				t.Fatal(err)
			}
			_, err = quantize.NewPlan(m, quantize.PlanOptions{Streams: true})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestNewPlanRefusesSizes: shapes that a small file states but no machine computes are errors that name the tensor.
func TestNewPlanRefusesSizes(t *testing.T) {
	for name, m := range map[string]*onnx.Model{
		`tensor "c0"`: doc(t, "Conv x w0:4x4x3x3 -> c0 ?x4x160000x160000", "Relu c0 -> y ?x4x8x8"),
		`layer /y`:    doc(t, "Conv x w:1x4x256x256 -> y ?x1x40000x50000"),
		`overflow`:    doc(t, "Relu x -> overflow ?x4294967296x4294967296x4"),
	} {
		if _, err := quantize.NewPlan(m, quantize.PlanOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNewPlanOfSums: sixty additions of a value to itself are looked at once each, not 2^60 times.
func TestNewPlanOfSums(t *testing.T) {
	lines := []string{"Conv x w0:4x4x1x1 -> c ?x4x8x8", "HardSwish c -> s0 ?x4x8x8"}
	for i := range 60 {
		lines = append(lines, fmt.Sprintf("Add s%d s%d -> s%d ?x4x8x8", i, i, i+1))
	}
	p := plan(t, doc(t, append(lines, "Conv s60 w1:4x4x1x1 -> y ?x4x8x8")...), quantize.PlanOptions{Streams: true, ZeroPoints: true})
	if i := p.Roots["s60"]; !p.Points[i].Asymmetric {
		t.Errorf("point %+v is not asymmetric", p.Points[i])
	}
}

// TestNewPlanOfStrings: constants of other types than numbers do not stand in the way.
func TestNewPlanOfStrings(t *testing.T) {
	data, err := doc(t, block()...).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	// More of the graph (field 7 of the model): the string initializer z, and a node of operator T that reads it.
	initializer := "\x2a\x0a" + "\x08\x01" + "\x10\x08" + "\x32\x01a" + "\x42\x01z"
	node := "\x0a\x09" + "\x0a\x01z" + "\x12\x01q" + "\x22\x01T"
	m, err := onnx.Parse(append(data, "\x3a\x17"+initializer+node...), "")
	if err != nil {
		t.Fatal(err)
	}
	if m.Graph.Value("z") == nil || m.Graph.Value("z").DType() != tensor.String {
		t.Fatal("the string is not there")
	}
	plan(t, m, quantize.PlanOptions{Streams: true})
}
