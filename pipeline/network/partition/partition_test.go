package partition

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// network builds a normalised model of lines "name = Op inputs"; Convs get weights of 4x4x1x1. The last line is the
// output.
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

// TestNarrow holds the cut of random networks to what looking at all values after every step gives.
func TestNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	narrowed := 0
	for range 300 {
		m := network(t, tangle(rng, 12)...)
		problems, err := decode.Check(m)
		if err != nil {
			t.Fatal(err)
		}
		c, err := newCut(m, problems, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.blocked) > 0 {
			continue
		}
		lacking := map[string]bool{}
		for _, p := range problems {
			lacking[p.Node] = true
		}
		want := maps.Clone(c.tail) // what the tail was before it grew
		for _, n := range m.Graph.Nodes() {
			want[n] = lacking[n.Name()] || slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return want[v.Producer()] })
		}
		plain := *c
		plain.tail = want
		if len(plain.crossing()) > 1 {
			before := maps.Clone(want)
			for _, n := range slices.Backward(m.Graph.Nodes()) {
				if !want[n] && c.behind[n] && !c.layer[n] && plain.onlyTail(n) {
					if want[n] = true; len(plain.crossing()) == 1 {
						narrowed++
						break
					}
				}
			}
			if len(plain.crossing()) > 1 {
				plain.tail = before
			}
		}
		if !maps.Equal(plain.tail, c.tail) {
			t.Errorf("%v\nis cut at %v, not at %v", nodeNames(m), onnx.Names(c.crossing()), onnx.Names(plain.crossing()))
		}
	}
	if narrowed < 10 {
		t.Errorf("only %d of the networks were narrowed", narrowed)
	}
}

// tangle is a Conv and n operators behind it, each on random ones before, with one that the engine lacks.
func tangle(rng *rand.Rand, n int) []string {
	lines := []string{"n0 = Conv x"}
	odd := n/2 + rng.IntN(n/2)
	for i := 1; i < n; i++ {
		near := func() int { return max(i-1-rng.IntN(3), 0) }
		switch {
		case i == odd:
			lines = append(lines, fmt.Sprintf("n%d = Selu n%d", i, near()))
		case rng.IntN(2) == 0:
			lines = append(lines, fmt.Sprintf("n%d = Relu n%d", i, near()))
		default:
			lines = append(lines, fmt.Sprintf("n%d = Add n%d n%d", i, near(), near()))
		}
	}
	return lines
}

// TestNarrowLong follows a long tail of two strands all the way: 0.1 s, and a minute where every step looks at all
// values.
func TestNarrowLong(t *testing.T) {
	const n = 4000
	lines := []string{"a = Conv x", "p0 = Sigmoid a", "q0 = Tanh a"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("p%d = Relu p%d", i+1, i), fmt.Sprintf("q%d = Relu q%d", i+1, i))
	}
	m := network(t, append(lines, fmt.Sprintf("d = Hardmax p%d", n), fmt.Sprintf("e = Mul d q%d", n))...)
	problems, err := decode.Check(m)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	c, err := newCut(m, problems, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cut := onnx.Names(c.crossing()); len(cut) != 1 || cut[0] != "a:0" {
		t.Errorf("cut at %v", cut)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("%d nodes took %v", 2*n, took)
	}
}
