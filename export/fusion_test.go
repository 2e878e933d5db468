package export_test

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// TestFusedOperators: operators between codes become integer kernels, a mean over the plane among them.
func TestFusedOperators(t *testing.T) {
	requireRuntime(t)
	n := prepare(t, build(t, func(b *graphBuilder) {
		b.conv("c0", "x", 4, 8)
		b.conv("c1", "c0", 8, 4)
		b.conv("c2", "c0", 8, 4)
		b.op("Concat", "cat", "c1 c2", onnx.IntAttr("axis", 1))
		b.conv("c3", "cat", 8, 8)
		b.op("AveragePool", "ap", "c3", onnx.IntsAttr("kernel_shape", []int64{2, 2}), onnx.IntsAttr("strides", []int64{2, 2}))
		b.conv("c4", "ap", 8, 8)
		b.op("ReduceMean", "mean", "c4", onnx.IntsAttr("axes", []int64{2, 3}), onnx.IntAttr("keepdims", 0))
		b.op("Gemm", "y", "mean "+b.weights("fc.w", 8, 5)+" "+b.weights("fc.b", 5))
	}), true)
	for seed := range uint64(3) {
		checkOps(t, n.export(t, mixed(n.plan, seed)), map[string]int{
			"QLinearConv": 5, "QLinearConcat": 1, "QLinearAveragePool": 1, "QLinearGlobalAveragePool": 1, "QGemm": 1,
			"Conv": 0, "Concat": 0, "AveragePool": 0, "GlobalAveragePool": 0, "ReduceMean": 0, "Gemm": 0, "DequantizeLinear": 0,
		})
	}
}

// TestFusedActivations: convolutions in front of activations that no quantizer absorbs run on integers, in networks as
// PyTorch's exporter writes them. One that the network ends in has a float result and stays float. Codes are those of
// the reference, but behind Sigmoid, HardSigmoid and HardSwish, whose floats are onnxruntime's own; and at 8 bits the
// network still computes what it did in float.
func TestFusedActivations(t *testing.T) {
	requireRuntime(t)
	tests := []struct {
		file   string
		within int
		fused  map[string]int
	}{
		{"darknet-21", 0, map[string]int{"QLinearConv": 3, "QLinearLeakyRelu": 3, "QLinearAdd": 1, "Conv": 1, "LeakyRelu": 0, "Add": 0}},
		{"mobile-21-fixed", 1, map[string]int{"QLinearConv": 6, "QLinearAdd": 1, "QLinearMul": 1, "QGemm": 1, "Conv": 0, "FusedConv": 0, "Gemm": 0}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			n := exporterNetwork(t, tt.file, true)
			x := n.samples(40, 5)
			count := checkOps(t, n.export(t, n.plan.Max()), tt.fused) // below 8 bits streams are requantized, by further operators
			for seed := range uint64(3) {
				q := mixed(n.plan, seed)
				m := n.export(t, q)
				if narrow := ops(t, m); narrow["Conv"] != count["Conv"] || narrow["QLinearConv"] != count["QLinearConv"] {
					t.Errorf("policy %v: %v", q, narrow)
				}
				want, _ := n.reference(t, q, x)
				if c := comparison.Of(description(t, m).Tensors, want, n.compute(t, m, x, true)); c.Different > 0 && tt.within == 0 || c.Compared == 0 {
					t.Errorf("policy %v: %+v, first %v", q, c, c.First)
				}
				if c := n.given(t, m, want, x); !c.Within(1) || c.Different*1000 > c.Compared {
					t.Errorf("policy %v, from given codes: %+v, first %v", q, c, c.First)
				}
			}
			before := exporterNetwork(t, tt.file, false)
			was, is := before.distance(t, x), n.distance(t, x)
			t.Logf("relative distance to float at 8 bits: %.4f before, %.4f with results of convolutions quantized", was, is)
			if is > 0.1 || is > 2*was {
				t.Errorf("relative distance to float at 8 bits: %g, %g without quantizers on results of convolutions", is, was)
			}
		})
	}
}

// TestFusedGates: x*Sigmoid(x) runs on integers, its convolution included: as Mul is computed between streams, x and
// Sigmoid(x) are quantized.
func TestFusedGates(t *testing.T) {
	requireRuntime(t)
	n := exporterNetwork(t, "detector-18-fixed", true)
	checkOps(t, n.export(t, n.plan.Max()), map[string]int{
		"QLinearConv": 8, "QLinearSigmoid": 6, "QLinearMul": 5, "QLinearConcat": 3, "QLinearAdd": 1, "Conv": 0,
	})
}

// exporterNetwork calibrates one of the networks that exporters wrote, with quantizers on results of convolutions or
// without.
func exporterNetwork(t *testing.T, file string, outputs bool) network {
	t.Helper()
	return prepareWith(t, exporterModel(t, file), true, quantize.PlanOptions{Streams: true, ZeroPoints: true, Outputs: outputs})
}

func exporterModel(t *testing.T, file string) *onnx.Model {
	t.Helper()
	m, err := onnx.Load("../onnx/pass/testdata/exporters/" + file + ".onnx")
	if err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// distance is that of the network at 8 bits to the float model: the norm of the difference of their outputs beside that
// of the float ones.
func (n network) distance(t *testing.T, x []float32) float64 {
	t.Helper()
	y, _ := n.reference(t, n.plan.Max(), x)
	name := n.model.Graph.Outputs()[0].Name()
	float, err := tensor.Floats(n.run(t, n.model, x)[name])
	if err != nil || len(float) != len(y.Logits) {
		t.Fatalf("%d outputs, %d of the reference, %v", len(float), len(y.Logits), err)
	}
	var d, sum float64
	for i, v := range float {
		d += float64(v-y.Logits[i]) * float64(v-y.Logits[i])
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(d / sum)
}

// TestOutputsOfProfiles: runtimes that compute convolutions on integers whatever follows get no quantizer on their
// results, and their files still equal the reference.
func TestOutputsOfProfiles(t *testing.T) {
	requireRuntime(t)
	n := exporterNetwork(t, "darknet-21", true)
	n.checkOutputs(t, map[string]int{export.ProfileORT: 3, export.ProfileQNN: 3, export.ProfileOpenVINO: 0})
	symmetric := prepareWith(t, exporterModel(t, "darknet-21"), true, quantize.PlanOptions{Streams: true, Int8: true, Outputs: true})
	symmetric.checkOutputs(t, map[string]int{export.ProfileORT: 3, export.ProfileTRT: 0, export.ProfileQONNX: 0})
}

// checkOutputs counts in the files of profiles the quantizers on results of convolutions.
func (n network) checkOutputs(t *testing.T, wanted map[string]int) {
	t.Helper()
	marked := 0
	for _, p := range n.plan.Points {
		if p.Output {
			marked++
		}
	}
	if marked != 3 {
		t.Fatalf("%d results of convolutions are quantized", marked)
	}
	q, x := mixed(n.plan, 1), n.samples(10, 5)
	for profile, want := range wanted {
		m, reference := n.inProfile(t, profile, q, x)
		has := 0
		for _, d := range description(t, m).Tensors {
			for _, p := range n.plan.Points {
				if p.Output && p.Tensor == d.Tensor {
					has++
				}
			}
		}
		if has != want {
			t.Errorf("%s: %d results of convolutions are quantized, want %d", profile, has, want)
		}
		if c := n.given(t, m, reference, x); !c.Within(1) || c.Compared == 0 || c.Different*1000 > c.Compared {
			t.Errorf("%s: %+v, first %v", profile, c, c.First)
		}
	}
}
