package quantize_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/quantize"
)

// TestOutputs: which results of convolutions carry a quantizer of their own, and which operators that makes quantized.
func TestOutputs(t *testing.T) {
	const first = "Conv x w0:4x4x1x1 -> c ?x4x8x8"
	last := func(in string) string { return "Conv " + in + " wl:4x4x1x1 -> y ?x4x8x8" }
	tests := []struct {
		name  string
		lines []string
		want  string // marked tensors, then streams beside them
	}{
		{"leaky relu", []string{first, "LeakyRelu c -> l ?x4x8x8", last("l")}, "c;"},
		{"norm before it", []string{first, "BatchNormalization c g:4 b:4 m:4 v:4 -> n ?x4x8x8", "HardSwish n -> h ?x4x8x8", last("h")}, "n;"},
		{"two readers", []string{first, "Gelu c -> g ?x4x8x8", "Relu c -> r ?x4x8x8", "Conv g v:4x4x1x1 -> a ?x4x8x8", "Conv r u:4x4x1x1 -> b ?x4x8x8", "Add a b -> s ?x4x8x8", last("s")}, "c; a b s"},
		{"view and resize", []string{first, "Reshape c s: -> p ?x4x64", "Resize p r: q: -> z ?x4x8x8", last("z")}, "c;"},
		{"gate", []string{first, "Sigmoid c -> s ?x4x8x8", "Mul c s -> m ?x4x8x8", last("m")}, "; c s"}, // SiLU has its points anyway
		{"excitation", []string{first, "Relu c -> r ?x4x8x8", "Conv r v:4x4x1x1 -> e ?x4x8x8", "HardSigmoid e -> s ?x4x8x8", "Mul r s -> m ?x4x8x8", last("m")}, "e; r s"},
		{"sum of activations", []string{first, "LeakyRelu c -> l ?x4x8x8", "Conv l v:4x4x1x1 -> d ?x4x8x8", "Elu d -> e ?x4x8x8", "Add l e -> s ?x4x8x8", last("s")}, "c d; l e s"},
		{"absorbed", []string{first, "Relu c -> r ?x4x8x8", last("r")}, ";"},
		{"read by a layer, too", []string{first, "Tanh c -> t ?x4x8x8", "Conv c v:4x4x1x1 -> d ?x4x8x8", "Add t d -> s ?x4x8x8", last("s")}, "; t d s"},
		{"no quantizer follows", []string{first, "LeakyRelu c -> l ?x4x8x8"}, ";"},
		{"norm behind it", []string{first, "LayerNormalization c g:8 -> n ?x4x8x8", last("n")}, ";"},
		{"matrix product", []string{"Flatten x -> f ?x256", "MatMul f w0:256x4 -> c ?x4", "LeakyRelu c -> l ?x4", "MatMul l w1:4x4 -> y ?x4"}, ";"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := quantize.PlanOptions{Streams: true, Outputs: true}
			p := plan(t, doc(t, tt.lines...), o)
			var marked, streams []string
			for i, x := range p.Points {
				if x.Output {
					marked = append(marked, x.Tensor)
					if !x.Stream || len(x.Layers) > 0 || p.Max().A[i] != 8 || p.Min().A[i] != 8 {
						t.Errorf("%+v", x)
					}
				} else if x.Stream {
					streams = append(streams, x.Tensor)
				}
			}
			got := strings.TrimSpace(strings.Join(marked, " ") + "; " + strings.Join(streams, " "))
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			o.Outputs = false
			before := plan(t, doc(t, tt.lines...), o)
			if p.Outputs = false; len(marked) == 0 && tt.name != "gate" && !reflect.DeepEqual(p.Points, before.Points) {
				t.Errorf("without the option %+v, with it %+v", before.Points, p.Points)
			}
			for _, x := range before.Points {
				if x.Output {
					t.Errorf("%s without the option", x.Tensor)
				}
			}
		})
	}
	for _, x := range plan(t, doc(t, tests[0].lines...), quantize.PlanOptions{Outputs: true}).Points {
		if x.Output {
			t.Errorf("%s without streams", x.Tensor)
		}
	}
}
