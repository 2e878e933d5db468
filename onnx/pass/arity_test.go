package pass

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/onnx"
)

func TestArity(t *testing.T) {
	b := func() *builder { return build(t, 17).in("x", 1, 4) }
	tests := []struct {
		name string
		m    *onnx.Model
		want string // "": nothing is missing
	}{
		{"one", b().op("Relu", "x", "y").out("y"), ""},
		{"first of two", b().op("Add", "- x", "y").out("y"), "lacks input 0"},
		{"second of two", b().op("Add", "x", "y").out("y"), "lacks input 1"},
		{"reduction", b().op("ReduceL2", "- x", "y").out("y"), "lacks input 0"},
		{"optional", b().op("Clip", "x - x", "y").out("y"), ""},
		{"one of any number", b().op("Concat", "x - x", "y").out("y"), "lacks input 1"},
		{"none of any number", b().op("Sum", "", "y").out("y"), "lacks input 0"},
		{"no row", b().op("Magic", "- x", "y").out("y"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkArity(tt.m.Graph)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
