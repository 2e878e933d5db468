package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// paired is what the pairs of a layer's weights cost: the mean over output channels of the square by which the worst of
// them exceeds the largest weight.
func paired(t *testing.T, m *onnx.Model, l *quantize.Layer) float64 {
	t.Helper()
	w := read(t, m, l.Weight)
	partners := quantize.Partners(l.Shape, l.Axis, quantize.PairedFlat)[0]
	var sum float64
	for k := range l.OutChannels {
		first, stride := quantize.ChannelWeights(l.Shape, l.Axis, k)
		var largest, worst float32
		for i, j := range partners {
			v := w[first+i*stride]
			largest = max(largest, v, -v)
			if j < 0 {
				continue
			}
			if u := w[first+j*stride]; u*v > 0 {
				worst = max(worst, u+v, -u-v)
			}
		}
		sum += cost(worst/largest) / float64(l.OutChannels)
	}
	return sum
}

// TestOrder: pairs of 8-bit weights cost less behind channels whose order is free, and no more anywhere; the model
// computes what it did, and only constants that have these channels change, each within itself.
func TestOrder(t *testing.T) {
	const n = 4
	x := normal(n*28*28, 1)
	m, plan := normed(t, x, n, func(*onnx.Model) {})
	before := forward(t, m, x, n)
	costs := map[string]float64{}
	free := map[string]bool{}
	for i := range plan.Layers {
		l := &plan.Layers[i]
		costs[l.Node] = paired(t, m, l)
		for _, c := range carriersOf(m, plan, l) {
			free[c.name], free[l.Weight] = true, true
		}
	}
	constants := map[string][]float32{}
	for _, v := range m.Graph.Initializers() {
		if v.Const().DType == tensor.Float32 {
			constants[v.Name()] = read(t, m, v.Name())
		}
	}
	if changed, err := Order(t.Context(), m, plan, par.New(1)); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	better := 0
	for i := range plan.Layers {
		l := &plan.Layers[i]
		switch now := paired(t, m, l); {
		case now > costs[l.Node]*(1+1e-6):
			t.Errorf("%s: pairs cost %.3f, before %.3f", l.Node, now, costs[l.Node])
		case now < costs[l.Node]*0.95:
			better++
		}
	}
	if better == 0 {
		t.Error("no layer's pairs cost less")
	}
	for i, v := range forward(t, m, x, n) {
		if math.Abs(float64(v-before[i])) > 1e-4*(1+math.Abs(float64(before[i]))) {
			t.Fatalf("output %d: %g, before %g", i, v, before[i])
		}
	}
	for name, old := range constants {
		now := read(t, m, name)
		if !free[name] && !slices.Equal(now, old) {
			t.Errorf("%s has changed", name)
		}
		slices.Sort(now)
		slices.Sort(old)
		if !slices.Equal(now, old) {
			t.Errorf("%s has other elements", name)
		}
	}
}

// TestOrderLeaves: channels that something else reads, or that the model puts out, stay where they are.
func TestOrderLeaves(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	x := normal(28*28, 1)
	for name, edit := range map[string]func(m *onnx.Model, v *onnx.Value){
		"output": func(m *onnx.Model, v *onnx.Value) { must(m.Graph.AddOutput(v)) },
		"other reader": func(m *onnx.Model, v *onnx.Value) {
			_, err := m.Graph.AddNode(onnx.NodeSpec{Op: "Sigmoid", Name: v.Name() + "?", Inputs: []*onnx.Value{v}, Outputs: []string{v.Name() + "?"}}, nil)
			must(err)
			must(m.Graph.AddOutput(m.Graph.Value(v.Name() + "?")))
		},
	} {
		m, plan := normed(t, x, 1, func(m *onnx.Model) {
			for _, n := range m.Graph.Nodes() {
				if n.Op() == "Relu" {
					edit(m, n.Output(0))
				}
			}
		})
		if changed, err := Order(t.Context(), m, plan, par.New(1)); err != nil || changed {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
	}
}

// TestPairing: where there are as many small channels as large ones, every pair gets one of each; the order is one of
// all channels, costs no more than before, and is left alone where no pair costs anything.
func TestPairing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const channels, outputs = 16, 6
	for positions := 1; positions <= 2; positions++ {
		rows := make([][]float32, channels)
		for c := range rows {
			rows[c] = make([]float32, outputs*positions)
			for i := range rows[c] {
				if c < channels/2 {
					rows[c][i] = 1 + 0.1*r.Float32()
				}
			}
		}
		order := pairing(rows, positions)
		if sorted := slices.Sorted(slices.Values(order)); len(sorted) != channels || sorted[0] != 0 || len(slices.Compact(sorted)) != channels {
			t.Fatalf("order %v", order)
		}
		for k := 0; k < channels; k += 2 {
			if (order[k] < channels/2) == (order[k+1] < channels/2) {
				t.Errorf("%d positions: channels %d and %d are partners", positions, order[k], order[k+1])
			}
		}
		again := make([][]float32, channels)
		for k, c := range order {
			again[k] = rows[c]
		}
		if more := pairing(again, positions); more != nil {
			t.Errorf("%d positions: ordered once more, %v", positions, more)
		}
	}
}
