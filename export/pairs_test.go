package export_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/cpumask"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// pairLayer is a layer whose output channels hold one pair of weights of 127 each, all others 0, and reads codes of
// 255.
type pairLayer struct {
	shape  tensor.Shape // of the weights of an output channel
	groups int
}

// pairLayers are dense and grouped convolutions of odd and even numbers of channels, and products.
func pairLayers() []pairLayer {
	return []pairLayer{
		{tensor.Shape{3, 3, 3}, 1},
		{tensor.Shape{4, 2, 2}, 1},
		{tensor.Shape{5, 3, 1}, 1},
		{tensor.Shape{7, 1, 1}, 1},
		{tensor.Shape{18, 1, 1}, 1},
		{tensor.Shape{1, 3, 3}, 1},
		{tensor.Shape{3, 2, 2}, 4},
		{tensor.Shape{1, 3, 3}, 16},
		{tensor.Shape{1, 3, 3}, 48},
		{tensor.Shape{13}, 1},
	}
}

// pairs lists all pairs of weights of an output channel.
func (l pairLayer) pairs() (list [][2]int) {
	for i := range l.shape.Numel() {
		for j := range i {
			list = append(list, [2]int{j, i})
		}
	}
	return list
}

// channels is the number of output channels: one for each pair, and as many more as groups of 16 ask for.
func (l pairLayer) channels() int { return (len(l.pairs()) + 15) / 16 * 16 }

// model is the layer between quantizers, as the integer kernels want it.
func (l pairLayer) model(t *testing.T) *onnx.Model {
	t.Helper()
	pairs, weights, channels := l.pairs(), l.shape.Numel(), l.channels()
	axis, shape := 0, append(tensor.Shape{channels}, l.shape...)
	in := append(tensor.Shape{1, l.shape[0] * l.groups}, slices.Repeat([]int{6}, len(l.shape)-1)...)
	at := func(k, i int) int { return k*weights + i }
	if len(l.shape) == 1 {
		axis, shape = 1, tensor.Shape{weights, channels}
		at = func(k, i int) int { return i*channels + k }
	}
	codes := make([]int8, weights*channels)
	for k, p := range pairs {
		codes[at(k, p[0])], codes[at(k, p[1])] = 127, 127
	}
	m := onnx.New(19)
	g := m.Graph
	constant := func(name string, x *tensor.Tensor) *onnx.Value {
		v, err := g.AddInitializer(name, x)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	node := func(op string, attrs []onnx.Attr, in ...*onnx.Value) *onnx.Value {
		n, err := g.AddNode(onnx.NodeSpec{Name: op + in[0].Name(), Op: op, Inputs: in, Outputs: []string{op + "/" + in[0].Name()}, Attrs: attrs}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n.Output(0)
	}
	x, err := g.AddInput("x", tensor.Float32, in)
	if err != nil {
		t.Fatal(err)
	}
	one, zero := constant("one", tensor.Scalar(float32(1))), constant("zero", tensor.Scalar(uint8(0)))
	step := constant("step", tensor.Scalar(float32(512)))
	scales, zeros := constant("scales", tensor.From(tensor.Shape{channels}, slices.Repeat([]float32{1}, channels))), constant("zeros", tensor.From(tensor.Shape{channels}, make([]int8, channels)))
	w := node("DequantizeLinear", []onnx.Attr{onnx.IntAttr("axis", int64(axis))}, constant("codes", tensor.From(shape, codes)), scales, zeros)
	v := node("DequantizeLinear", nil, node("QuantizeLinear", nil, x, one, zero), one, zero)
	if axis == 1 {
		v = node("MatMul", nil, v, w)
	} else {
		v = node("Conv", []onnx.Attr{onnx.IntAttr("group", int64(l.groups))}, v, w)
	}
	v = node("DequantizeLinear", nil, node("QuantizeLinear", nil, v, step, zero), step, zero)
	if err := g.AddOutput(v); err != nil {
		t.Fatal(err)
	}
	return m
}

// saturated are the pairs whose sum a runtime has cut off, by the outputs of the model.
func (l pairLayer) saturated(y []float32) (cut [][2]int) {
	full := 512 * math.RoundToEven(255*254/512.0)
	per := len(y) / l.channels()
	for k, p := range l.pairs() {
		if slices.Max(y[k*per:(k+1)*per]) < float32(full) {
			cut = append(cut, p)
		}
	}
	return cut
}

// partners are the pairs that the program bounds.
func (l pairLayer) partners(order quantize.Pairing) (list [][2]int) {
	shape, axis := append(tensor.Shape{1}, l.shape...), 0
	if len(l.shape) == 1 {
		shape, axis = tensor.Shape{l.shape[0], 1}, 1
	}
	layer := quantize.Layer{Depthwise: l.groups > 1 && l.shape[0] == 1, Groups: l.groups, OutChannels: l.channels()}
	if !layer.Paired() {
		return nil
	}
	for _, partners := range quantize.Partners(shape, axis, order) {
		for i, j := range partners {
			if j > i && !slices.Contains(list, [2]int{i, j}) {
				list = append(list, [2]int{i, j})
			}
		}
	}
	slices.SortFunc(list, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	return list
}

// input has codes of 255 everywhere.
func (l pairLayer) input(m *onnx.Model) *tensor.Tensor {
	shape, _ := m.Graph.Inputs()[0].Shape()
	return tensor.From(shape, slices.Repeat([]float32{255}, shape.Numel()))
}

// TestPairs asks onnxruntime which pairs of weights meet in 16 bits on a CPU without VNNI: those of
// quantize.PairedFlat, and none where integers are to be exact.
func TestPairs(t *testing.T) {
	requireRuntime(t)
	if !cpumask.Again(t, ort.Library()) {
		return
	}
	for _, l := range pairLayers() {
		t.Run(fmt.Sprint(l), func(t *testing.T) {
			m := l.model(t)
			data, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			l.check(t, l.run(t, m, data, nil), quantize.PairedFlat, true)
			if got := l.saturated(l.run(t, m, data, map[string]string{"session.x64quantprecision": "1"})); len(got) > 0 {
				t.Errorf("pairs %v saturate where integers are to be exact", got)
			}
		})
	}
}

// run are the outputs of the layer in onnxruntime.
func (l pairLayer) run(t *testing.T, m *onnx.Model, data []byte, config map[string]string) []float32 {
	t.Helper()
	s, err := ort.Open(data, ort.Options{Threads: 1, Optimize: true, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x, err := tensor.Floats(l.input(m))
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := s.RunFloat(t.Context(), x, l.input(m).Shape)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// check compares the pairs that saturate with those that files of the pairing bound: all of them where exact.
func (l pairLayer) check(t *testing.T, y []float32, order quantize.Pairing, exact bool) {
	t.Helper()
	got, want := l.saturated(y), l.partners(order)
	slices.SortFunc(got, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	if exact && !slices.Equal(got, want) {
		t.Errorf("pairs %v saturate, %v are bounded", got, want)
	}
	for _, p := range got {
		if !slices.Contains(want, p) {
			t.Errorf("pair %v saturates and is not bounded", p)
		}
	}
	if exact && len(want) > 0 && len(got) == 0 {
		t.Errorf("nothing saturates of %v: the question was not asked", want)
	}
}

// TestPairsOpenVINO is TestPairs for OpenVINO, whose kernels are told to do without AVX-512.
func TestPairsOpenVINO(t *testing.T) {
	testkit.Python(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("pairs of products meet on x86 alone")
	}
	t.Setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
	saturated := 0
	defer func() {
		if saturated == 0 {
			t.Error("no pair saturates: OpenVINO was not asked")
		}
	}()
	for _, l := range pairLayers() {
		t.Run(fmt.Sprint(l), func(t *testing.T) {
			m := l.model(t)
			out := client(t, "openvino", m, map[string]*tensor.Tensor{"x": l.input(m)})
			y, err := tensor.Floats(out[m.Graph.Outputs()[0].Name()])
			if err != nil {
				t.Fatal(err)
			}
			l.check(t, y, export.Named(export.ProfileOpenVINO).Pairs, false)
			saturated += len(l.saturated(y))
		})
	}
}
