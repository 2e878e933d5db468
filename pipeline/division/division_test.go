package division

import (
	"errors"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// network builds a normalised model of lines "name = Op inputs"; Convs get weights of 4x4x1x1. The last line is the output.
func network(t *testing.T, lines ...string) *onnx.Model {
	t.Helper()
	m := onnx.New(17)
	x, err := m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, 4, 8, 8})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]*onnx.Value{"x": x}
	var last *onnx.Value
	for _, line := range lines {
		w := strings.Fields(line)
		var in []*onnx.Value
		for _, name := range w[3:] {
			in = append(in, values[name])
		}
		if w[2] == "Conv" {
			c, err := m.Graph.AddInitializer(w[0]+".w", tensor.From(tensor.Shape{4, 4, 1, 1}, make([]float32, 16)))
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, c)
		}
		n, err := m.Graph.AddNode(onnx.NodeSpec{Name: w[0], Op: w[2], Inputs: in, Outputs: []string{w[0] + ":0"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		last = n.Output(0)
		values[w[0]] = last
	}
	last.SetType(tensor.Float32, tensor.Shape{-1, 4, 8, 8})
	if err := m.Graph.AddOutput(last); err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func nodeNames(m *onnx.Model) string {
	if m == nil {
		return "-"
	}
	var list []string
	for _, n := range m.Graph.Nodes() {
		list = append(list, n.Name())
	}
	return strings.Join(list, " ")
}

func TestDivide(t *testing.T) {
	for _, c := range []struct {
		name       string
		lines      []string
		exclude    []string
		core, tail string
		inputs     string // of the tail
	}{
		{"all known", []string{"a = Conv x", "b = Relu a"}, nil, "a b", "-", ""},
		{"behind the last layer", []string{"a = Conv x", "b = Selu a", "c = Relu b"}, nil, "a", "b c", "a:0"},
		{"beside the last layer", []string{"a = Conv x", "b = Selu a", "c = Conv a", "d = Add b c"}, nil, "a c", "b d", "a:0 c:0"},
		{"two values, one of them enough", []string{"a = Conv x", "p = Sigmoid a", "q = Tanh a", "d = Hardmax p", "e = Mul d q"}, nil, "a", "p q d e", "a:0"},
		{"excluded layers", []string{"a = Conv x", "b = Selu a", "c = Conv b"}, []string{"c"}, "a", "b c", "a:0"},
		{"a branch from the input", []string{"s = GlobalLpPool x", "a = Conv x", "m = Mul a s"}, nil, "a", "s m", "a:0 x"},
	} {
		d, err := Of(network(t, c.lines...), c.exclude)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if core, tail := nodeNames(d.Core), nodeNames(d.tail); core != c.core || tail != c.tail {
			t.Errorf("%s: core %q, tail %q; want %q, %q", c.name, core, tail, c.core, c.tail)
		}
		if d.tail != nil {
			if got := strings.Join(onnx.Names(d.tail.Graph.Inputs()), " "); got != c.inputs {
				t.Errorf("%s: the tail reads %q, want %q", c.name, got, c.inputs)
			}
		}
	}
}

// TestBlockedWay wants the layers that can stay and the flag that makes it so, and holds the error to it.
func TestBlockedWay(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		left  string
		out   string // the argument of --exclude; "" where nothing helps
		core  string
	}{
		{"a chain", []string{"a = Conv x", "b = Selu a", "c = Conv b", "d = Conv c"}, "layers a", "c,d", "a"},
		{"within a residual branch", []string{"a = Conv x", "r = Relu a", "b = Conv r", "s = Selu b", "c = Conv s", "d = Add c r", "e = Conv d"}, "layers a, b ", "c,e", "a r b"},
		{"a branch from the input", []string{"s = GlobalLpPool x", "a = Conv x", "m = Mul a s", "b = Conv m"}, "layers a ", "b", "a"},
		{"in front of all", []string{"s = Selu x", "a = Conv s"}, "", "", ""},
	} {
		m := network(t, c.lines...)
		_, err := Of(m, nil)
		var blocked *BlockedError
		if !errors.As(err, &blocked) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.out == "" {
			if strings.Contains(err.Error(), "--exclude") {
				t.Errorf("%s: it promises %v", c.name, err)
			}
			continue
		}
		if !strings.Contains(err.Error(), c.left) || !strings.Contains(err.Error(), "--exclude '"+c.out+"'") {
			t.Errorf("%s: %v; want %q and %q", c.name, err, c.left, c.out)
		}
		d, err := Of(m, strings.Split(c.out, ","))
		if err != nil || nodeNames(d.Core) != c.core {
			t.Errorf("%s: the flag gives %v, %v", c.name, d, err)
		}
	}
}
