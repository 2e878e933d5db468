package export_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// oneSided is a network of activations with a small negative part: HardSwish as a node, SiLU as x*Sigmoid(x), read by
// layers, additions and pooling.
func oneSided(b *graphBuilder) {
	b.conv("c0", "x", 4, 8)
	b.op("HardSwish", "h0", "c0")
	b.conv("c1", "h0", 8, 8)
	b.op("Sigmoid", "s1", "c1")
	b.op("Mul", "m1", "c1 s1")
	b.conv("c2", "m1", 8, 8)
	b.op("Add", "a", "c2 m1")
	b.op("Relu", "r", "a")
	b.conv("c3", "r", 8, 8)
	b.op("HardSwish", "h3", "c3")
	b.head("h3", 8)
}

// asymmetricNetwork plans it with zero points, or without.
func asymmetricNetwork(t *testing.T, zeroPoints bool) network {
	t.Helper()
	return prepareWith(t, build(t, oneSided), true, quantize.PlanOptions{Streams: true, ZeroPoints: zeroPoints})
}

// TestZeroPointsEqualReference: files with zero points compute what the reference does, in every profile that has
// them, and the others refuse.
func TestZeroPointsEqualReference(t *testing.T) {
	requireRuntime(t)
	n := asymmetricNetwork(t, true)
	var names []string
	for _, p := range n.plan.Points {
		if p.Asymmetric {
			names = append(names, p.Tensor)
		}
	}
	if got := strings.Join(names, " "); got != "h0 m1 gap" {
		t.Fatalf("asymmetric tensors %s", got)
	}
	x := n.samples(20, 3)
	for seed := range uint64(4) {
		q := mixed(n.plan, seed)
		for _, profile := range []string{export.ProfileORT, export.ProfileOpenVINO, export.ProfileQNN} {
			m, want := n.inProfile(t, profile, q, x)
			noMistakes(t, m, profile)
			if c := n.given(t, m, want, x); !c.Within(1) || c.Different*1000 > c.Compared || c.Compared == 0 || c.Flips > 0 {
				t.Errorf("%s: %+v, first %v", profile, c, c.First)
			}
			zeros := 0
			for _, d := range description(t, m).Tensors {
				if slices.Contains(names, strings.SplitN(d.Tensor, "@", 2)[0]) {
					zeros += d.Zero
				}
			}
			if zeros == 0 {
				t.Errorf("%s: no zero point in the file", profile)
			}
		}
	}
	for _, profile := range []string{export.ProfileTRT, export.ProfileQONNX} {
		_, err := export.Export(n.model, n.plan, n.supernet, n.plan.Max(), export.Options{Profile: profile})
		if err == nil || !strings.Contains(err.Error(), `tensor "h0" was trained with a zero point`) || !strings.Contains(err.Error(), "--retrain") {
			t.Errorf("%s: error %v", profile, err)
		}
	}
}

// TestZeroPointsHelp: at every width below 8 bits the error of a tensor with a small negative part falls to less than
// half: nearly all levels are where the values are.
func TestZeroPointsHelp(t *testing.T) {
	symmetric, asymmetric := asymmetricNetwork(t, false), asymmetricNetwork(t, true)
	x := symmetric.samples(8, 1)
	values := symmetric.floats(t, []string{"h0", "m1"}, x)
	for tensor, v := range values {
		for _, bits := range []int{2, 3, 4, 5, 6} {
			before, after := gridError(t, symmetric, tensor, bits, v), gridError(t, asymmetric, tensor, bits, v)
			t.Logf("%s at %d bits: mean squared error %.3g before, %.3g after, %.2f", tensor, bits, before, after, after/before)
			if after > before/2 {
				t.Errorf("%s at %d bits: mean squared error %g with a zero point, %g without", tensor, bits, after, before)
			}
		}
	}
}

// gridError is the mean squared error of the calibrated grid of a tensor.
func gridError(t *testing.T, n network, tensor string, bits int, v []float32) float64 {
	t.Helper()
	i := slices.IndexFunc(n.plan.Points, func(p quantize.Point) bool { return p.Tensor == tensor })
	g, err := n.plan.Grid(n.supernet, i, bits, false)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, x := range v {
		d := float64(x - g.Value(g.Quantize(x)))
		sum += d * d
	}
	return sum / float64(len(v))
}

// floats computes inner tensors of the float model in onnxruntime.
func (n network) floats(t *testing.T, names []string, x []float32) map[string][]float32 {
	t.Helper()
	requireRuntime(t)
	m := n.model.Clone()
	for _, name := range names {
		if err := m.Graph.AddOutput(m.Graph.Value(name)); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string][]float32{}
	for name, y := range n.run(t, m, x) {
		if slices.Contains(names, name) {
			f, err := tensor.Floats(y)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = f
		}
	}
	return out
}
