package job

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/drawn"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// FuzzAgreement takes random networks through the whole job. The engine computes a network as onnxruntime does, and its
// file is what the simulation says; or it is refused before any work, by a message that names one of its nodes.
func FuzzAgreement(f *testing.F) {
	for i := range uint32(8) {
		f.Add(binary.LittleEndian.AppendUint32(nil, 0x9e3779b9*i))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		n, err := drawn.Draw(script)
		if err != nil {
			t.Fatal(err)
		}
		agrees(t, n, false)
	})
}

// samples is how many a network is calibrated and tested with, half each.
const samples = 48

// agrees runs the job for a network, which must succeed if it is done.
func agrees(t *testing.T, n *drawn.Network, done bool) {
	t.Helper()
	dir := t.TempDir()
	model, data := filepath.Join(dir, "drawn.onnx"), filepath.Join(dir, "drawn.npz")
	if err := n.Model.Save(model); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, samples*n.Input.Numel())
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	computesFloat(t, n, x[:4*n.Input.Numel()])
	sample.NPZ(t, data, drawn.InputName, append(tensor.Shape{samples}, n.Input...), x)
	code, stdout, stderr := program.Call(t, "compress", model, "--data", data, "--no-labels", "--preset", "raw", "--epochs", "0",
		"--bits", strconv.Itoa(n.Bits), "--calibrate-samples", "16", "--search-samples", "8", "--norm-samples", "16",
		"--workspace", filepath.Join(dir, "w"), "--json", "--quiet")
	program.NeedRuntime(t, code, stderr)
	switch {
	case code == exit.Done:
		if file := program.DecodeResult(t, stdout).Results[0].Files[0]; !file.Verified {
			t.Errorf("not verified: %+v\n%s", file, drawn.Listing(n.Model))
		}
	case done || code != exit.Failed && code != exit.Usage || !refuses(n.Model, stderr):
		t.Errorf("exit code %d: %s\n%s", code, stderr, drawn.Listing(n.Model))
	}
}

// late are stages that come after work was done.
var late = regexp.MustCompile(`^mpqc: (train|round|search|export|verify|eval|report): `)

// overflow says that numbers grew out of range with the codes that were chosen, which nobody knows before.
var overflow = regexp.MustCompile(`(is|are) not finite`)

// refuses reports whether a message refuses a model before any work and names a node of it.
func refuses(m *onnx.Model, text string) bool {
	if strings.Contains(text, "goroutine ") || late.MatchString(text) && !overflow.MatchString(text) {
		return false
	}
	if strings.Contains(text, "nothing to quantize") {
		return true
	}
	for _, n := range m.Graph.Nodes() {
		if strings.Contains(text, n.Name()) {
			return true
		}
	}
	return false
}

// TestAgreement compresses networks of kinds that once ended in a false alarm, or in another function than the file's.
func TestAgreement(t *testing.T) {
	if testing.Short() {
		t.Skip("whole runs")
	}
	inf := float32(math.Inf(-1))
	pad := func(value float32, more ...string) func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
		return func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			for _, op := range more {
				if op == "MaxPool" {
					break
				}
				v = sample.Node(t, g, op, op, v)
			}
			v = sample.Node(t, g, "pad", "Pad", v, ints(t, g, 0, 0, 1, 1, 0, 0, 1, 1), floats(t, g, tensor.Shape{}, value))
			if len(more) > 0 && more[len(more)-1] == "MaxPool" {
				v = sample.NodeWith(t, g, "max", "MaxPool", []onnx.Attr{onnx.IntsAttr("kernel_shape", []int64{2, 2})}, v)
			}
			return v
		}
	}
	tests := []struct {
		name string
		bits int
		edit func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value
	}{
		{"letterbox", 8, pad(0.5)},
		{"below a Relu", 4, pad(-0.7, "Relu")},
		{"zeros", 3, pad(0, "Relu")},
		{"behind Sigmoid", 8, pad(0, "Sigmoid")},
		{"ones behind Sigmoid", 4, pad(1, "Sigmoid")},
		{"far below a MaxPool", 8, pad(-1e4, "MaxPool")},
		{"far below a MaxPool behind Relu", 8, pad(-1e4, "Relu", "MaxPool")},
		{"nothing below a MaxPool", 4, pad(inf, "MaxPool")},
		{"least below a MaxPool", 4, pad(-math.MaxFloat32, "Relu", "MaxPool")},
		{"zeros in front of a MaxPool of signed values", 8, pad(0, "MaxPool")},
		{"Relu of Relu", 8, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "r2", "Relu", sample.Node(t, g, "r1", "Relu", v))
		}},
		{"sum with its Relu beside a HardSigmoid", 4, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "gate", "HardSigmoid", sample.Node(t, g, "sum", "Add", sample.Node(t, g, "r", "Relu", v), v))
		}},
		{"one matrix per channel", 8, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "product", "MatMul", v, floats(t, g, tensor.Shape{4, 6, 6}, 0.25))
		}},
		{"power of what is not zero", 8, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			v = sample.Node(t, g, "shifted", "Add", sample.Node(t, g, "r", "Relu", v), floats(t, g, tensor.Shape{}, 0.5))
			return sample.Node(t, g, "inverse", "Pow", v, floats(t, g, tensor.Shape{}, -1))
		}},
		{"sum with what a Sigmoid makes of a constant", 8, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "sum", "Add", v, sample.Node(t, g, "gate", "Sigmoid", floats(t, g, tensor.Shape{}, 0.5)))
		}},
		{"product with what a Softmax makes of constants", 4, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			gate := sample.NodeWith(t, g, "gate", "Softmax", []onnx.Attr{onnx.IntAttr("axis", 1)}, floats(t, g, tensor.Shape{1, 4, 1, 1}, 0.25))
			return sample.Node(t, g, "scaled", "Mul", sample.Node(t, g, "r", "Relu", v), gate)
		}},
		{"linear Resize by thirds, behind a sum", 8, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			sum := sample.Node(t, g, "sum", "Add", v, sample.Node(t, g, "r", "Relu", v))
			scales := initializer(t, g, tensor.From(tensor.Shape{4}, []float32{1, 1, 1.5, 3}))
			return sample.NodeWith(t, g, "resized", "Resize", []onnx.Attr{onnx.StringAttr("mode", "linear")}, sum, nil, scales)
		}},
		{"rows of all samples in one axis", 8, func(t *testing.T, g *onnx.Graph, v *onnx.Value) *onnx.Value {
			rows := sample.Node(t, g, "rows", "Reshape", v, ints(t, g, -1, 6))
			rows = sample.Node(t, g, "each", "Relu", sample.Node(t, g, "product", "MatMul", rows, floats(t, g, tensor.Shape{6, 6}, 0.25)))
			return sample.Node(t, g, "back", "Reshape", rows, ints(t, g, -1, 4, 6, 6))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sample.Network(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value { return tt.edit(t, g, v) })
			agrees(t, &drawn.Network{Model: m, Input: tensor.Shape{3, 8, 8}, Bits: tt.bits}, true)
		})
	}
}

func ints(t *testing.T, g *onnx.Graph, v ...int64) *onnx.Value {
	t.Helper()
	return initializer(t, g, tensor.From(tensor.Shape{len(v)}, v))
}

// floats is a constant whose elements differ, the first of which is given.
func floats(t *testing.T, g *onnx.Graph, s tensor.Shape, first float32) *onnx.Value {
	t.Helper()
	x := make([]float32, s.Numel())
	for i := range x {
		x[i] = first * float32(1-i%5)
	}
	return initializer(t, g, tensor.From(s, x))
}

func initializer(t *testing.T, g *onnx.Graph, c *tensor.Tensor) *onnx.Value {
	t.Helper()
	v, err := g.AddInitializer(g.FreshName("constant"), c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
