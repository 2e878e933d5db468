package quantize_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// doc builds small documents; each line is "Op inputs -> output shape", inputs starting with $ are made as weights of
// the shape that follows ("$w:4x3x1x1").
func doc(t *testing.T, lines ...string) *onnx.Model {
	t.Helper()
	m := onnx.New(17)
	if _, err := m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, 4, 8, 8}); err != nil {
		t.Fatal(err)
	}
	var last *onnx.Value
	for _, line := range lines {
		left, right, _ := strings.Cut(line, " -> ")
		words, outs := strings.Fields(left), strings.Fields(right)
		var attrs []onnx.Attr
		op, group, _ := strings.Cut(words[0], "/")
		if group != "" {
			attrs = append(attrs, onnx.IntAttr("group", 4))
		}
		var in []*onnx.Value
		for _, w := range words[1:] {
			in = append(in, operand(t, m, w))
		}
		n, err := m.Graph.AddNode(onnx.NodeSpec{Name: "/" + outs[0], Op: op, Inputs: in, Outputs: outs[:1], Attrs: attrs}, nil)
		if err != nil {
			t.Fatal(err)
		}
		last = n.Output(0)
		last.SetType(tensor.Float32, shape(outs[1]))
	}
	if err := m.Graph.AddOutput(last); err != nil {
		t.Fatal(err)
	}
	return m
}

func operand(t *testing.T, m *onnx.Model, word string) *onnx.Value {
	t.Helper()
	name, dims, made := strings.Cut(word, ":")
	if !made {
		v := m.Graph.Value(name)
		if v == nil && name != "-" {
			t.Fatalf("no value %q", name)
		}
		return v
	}
	s := shape(dims)
	v, err := m.Graph.AddInitializer(name, tensor.From(s, make([]float32, s.Numel())))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// shape reads "?x4x8x8"; "" is a scalar.
func shape(text string) tensor.Shape {
	s := tensor.Shape{}
	for _, d := range strings.FieldsFunc(text, func(r rune) bool { return r == 'x' }) {
		n := -1
		if d != "?" {
			n = 0
			for _, c := range d {
				n = 10*n + int(c-'0')
			}
		}
		s = append(s, n)
	}
	return s
}

func plan(t *testing.T, m *onnx.Model, o quantize.PlanOptions) *quantize.Plan {
	t.Helper()
	p, err := quantize.NewPlan(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// block is a residual block of two convolutions with a pool and a head; the shortcut is cut and padded.
func block() []string {
	return []string{
		"Conv x w0:4x4x3x3 b0:4 -> c0 ?x4x8x8", "Relu c0 -> r0 ?x4x8x8", "MaxPool r0 -> p0 ?x4x4x4",
		"Conv p0 w1:4x4x1x1 -> c1 ?x4x4x4", "BatchNormalization c1 g:4 bb:4 mm:4 vv:4 -> n1 ?x4x4x4", "Relu n1 -> r1 ?x4x4x4",
		"Conv/4 r1 w2:4x1x3x3 -> c2 ?x4x4x4", "Slice p0 -> s ?x4x4x4", "Add c2 s -> a ?x4x4x4", "Relu a -> ra ?x4x4x4",
		"Conv ra w3:8x4x1x1 -> c3 ?x8x4x4", "GlobalAveragePool c3 -> gap ?x8x1x1", "Flatten gap -> f ?x8",
		"Gemm f w4:8x5 b4:5 -> y ?x5",
	}
}

func TestNewPlan(t *testing.T) {
	p := plan(t, doc(t, block()...), quantize.PlanOptions{Streams: true, WeightBits: []int{4, 2, 4}, ActivationBits: []int{2, 8}})
	want := strings.TrimSpace(`
layer /c0 Conv 4x4x3x3 -> ?x4x8x8 out 4 axis 0 w "w0" b "b0" n "" reads "x" point 0 makes "c0" macs 9216 params 144 bits [8] fixed
layer /c1 Conv 4x4x1x1 -> ?x4x4x4 out 4 axis 0 w "w1" b "" n "/n1" reads "p0" point 1 makes "n1" macs 256 params 16 bits [2 4]
layer /c2 Conv 4x1x3x3 -> ?x4x4x4 out 4 axis 0 w "w2" b "" n "" reads "r1" point 2 makes "c2" macs 576 params 36 bits [4] depthwise
layer /c3 Conv 8x4x1x1 -> ?x8x4x4 out 8 axis 0 w "w3" b "" n "" reads "ra" point 4 makes "c3" macs 512 params 32 bits [2 4]
layer /y Gemm 8x5 -> ?x5 out 5 axis 1 w "w4" b "b4" n "" reads "f" point 6 makes "y" macs 40 params 40 bits [8] fixed
point x elements 256 bits [8] layers [0] signed fixed
point r0 elements 256 bits [2 8] layers [1] unsigned stream
point r1 elements 64 bits [2 8] layers [2] unsigned
point c2 elements 64 bits [8] layers [] signed stream
point ra elements 64 bits [2 8] layers [3] unsigned stream
point c3 elements 128 bits [8] layers [] signed stream
point gap elements 8 bits [8] layers [4] signed fixed
root c2 3
root c3 5
root f 6
root gap 6
root p0 1
root r0 1
root r1 2
root ra 4
root s 1
root x 0
rest 228 macs 10600`)
	if got := strings.TrimSpace(text(p)); got != want {
		t.Errorf("plan is\n%s\nwant\n%s", got, want)
	}
}

func TestNewPlanWithoutStreams(t *testing.T) {
	p := plan(t, doc(t, block()...), quantize.PlanOptions{})
	var tensors []string
	for _, x := range p.Points {
		if x.Stream {
			t.Errorf("%s is a stream", x.Tensor)
		}
		tensors = append(tensors, x.Tensor)
	}
	if want := []string{"x", "r0", "r1", "ra", "gap"}; !slices.Equal(tensors, want) {
		t.Errorf("points %v, want %v", tensors, want)
	}
	if !slices.Equal(p.Layers[2].Candidates, []int{3, 4, 5, 6, 8}) || !slices.Equal(p.Points[1].Candidates, quantize.DefaultBits()) {
		t.Errorf("candidates %v, %v", p.Layers[2].Candidates, p.Points[1].Candidates)
	}
}

func TestNewPlanExclude(t *testing.T) {
	p := plan(t, doc(t, block()...), quantize.PlanOptions{Streams: true, Exclude: []string{"/c0", "*a"}})
	if p.Layers[0].Node != "/c1" || p.Layers[0].Fixed {
		t.Errorf("first layer is %+v", p.Layers[0])
	}
	reasons := map[string]string{}
	for _, f := range p.Float {
		reasons[f.Node] = f.Reason
	}
	if reasons["/c0"] != "excluded by option" || reasons["/a"] != "excluded by option" {
		t.Errorf("reasons %v", reasons)
	}
	for _, x := range p.Points {
		if x.Tensor == "c2" {
			t.Error("input of an excluded Add is a stream")
		}
	}
}

func TestNewPlanFloat(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		node  string
		want  string
	}{
		{"dynamic MatMul", []string{"MatMul x x -> m ?x4x8x8", "Conv m w:4x4x1x1 -> y ?x4x8x8"}, "/m", "no constant float32 weights"},
		{"1-D Conv", []string{"Conv x w:4x4x1 -> y ?x4x8"}, "/y", "weights have rank 3, not 4"},
		{"computed bias", []string{"Relu x -> b 4", "Conv x w:4x4x1x1 b -> y ?x4x8x8"}, "/y", "its bias is not one constant per output channel"},
		{"constant operand", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Mul c k: -> m ?x4x8x8", "Conv m v:4x4x1x1 -> y ?x4x8x8"}, "/m", "an operand is constant"},
		{"before the first layer", []string{"Add x x -> a ?x4x8x8", "Conv a w:4x4x1x1 -> y ?x4x8x8"}, "/a", "no input comes from a quantized layer"},
		{"lone norm", []string{"BatchNormalization x g:4 b:4 m:4 v:4 -> n ?x4x8x8", "Conv n w:4x4x1x1 -> y ?x4x8x8"}, "/n", "does not alone follow a quantized layer"},
		{"other operator", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Sigmoid c -> y ?x4x8x8"}, "/y", "operator has no quantized form"},
		{"streams off", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Add c c -> y ?x4x8x8"}, "/y", "streams are off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan(t, doc(t, tt.lines...), quantize.PlanOptions{})
			for _, f := range p.Float {
				if f.Node == tt.node {
					if f.Reason != tt.want {
						t.Errorf("reason %q, want %q", f.Reason, tt.want)
					}
					return
				}
			}
			t.Errorf("node is not listed: %v", p.Float)
		})
	}
}

func TestNewPlanPoints(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  string // of the point that /last reads
	}{
		{"relu6", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Clip c lo: hi: -> k ?x4x8x8"}, "k unsigned"},
		{"clip without a lower bound", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Clip c - hi: -> k ?x4x8x8"}, "k signed"},
		{"views", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Relu c -> r ?x4x8x8", "Transpose r -> t ?x4x8x8", "Pad t p: -> q ?x4x8x8"}, "r unsigned"},
		{"gated", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Sigmoid c -> s ?x4x8x8", "Mul c s -> m ?x4x8x8"}, "m signed"},
		{"sum of two unsigned", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Relu c -> r ?x4x8x8", "Add r r -> a ?x4x8x8"}, "a unsigned stream"},
		{"add read twice", []string{"Conv x w:4x4x1x1 -> c ?x4x8x8", "Add c c -> a ?x4x8x8", "Relu a -> r ?x4x8x8", "Conv a v:4x4x1x1 -> o ?x4x8x8"}, "o signed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			last := strings.Fields(tt.lines[len(tt.lines)-1])
			lines := append(slices.Clone(tt.lines), "Conv "+last[len(last)-2]+" wl:4x4x1x1 -> last ?x4x8x8")
			p := plan(t, doc(t, lines...), quantize.PlanOptions{Streams: true})
			x := p.Points[p.Layers[len(p.Layers)-1].Point]
			got := x.Tensor + map[bool]string{true: " signed", false: " unsigned"}[x.Signed] + map[bool]string{true: " stream"}[x.Stream]
			if got != tt.want {
				t.Errorf("reads %s, want %s", got, tt.want)
			}
		})
	}
}

func TestNewPlanErrors(t *testing.T) {
	ok := []string{"Conv x w:4x4x1x1 -> y ?x4x8x8"}
	tests := []struct {
		name  string
		lines []string
		o     quantize.PlanOptions
		want  string
	}{
		{"no bits", ok, quantize.PlanOptions{WeightBits: []int{}}, "no weight bits"},
		{"nine bits", ok, quantize.PlanOptions{ActivationBits: []int{4, 9}}, "between 2 and 8"},
		{"one bit", ok, quantize.PlanOptions{WeightBits: []int{1}}, "between 2 and 8"},
		{"nothing excluded", ok, quantize.PlanOptions{Exclude: []string{"layer9.*"}}, "no node has such a name"},
		{"unknown shape", []string{"Conv x w:4x4x1x1 -> y ?x4x?x?"}, quantize.PlanOptions{}, "unknown dimensions besides the batch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := quantize.NewPlan(doc(t, tt.lines...), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := quantize.NewPlan(nil, quantize.PlanOptions{}); err == nil {
		t.Error("no model is no error")
	}
}
