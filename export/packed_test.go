package export_test

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
)

// TestPacked: a packed file computes the very codes of the reference through the same fused kernels, at every width,
// and is as small as its widths say.
func TestPacked(t *testing.T) {
	requireRuntime(t)
	n := prepare(t, readModel(t, "models/resnet20-cifar10.onnx"), true, 2, 3, 4, 5, 6, 7, 8)
	x := n.samples(4, 5)
	for seed := range uint64(2) {
		q := mixed(n.plan, seed)
		m := n.exportWith(t, q, export.Options{Profile: export.ProfileORT, Packed: true})
		noMistakes(t, m, export.ProfileORT)
		want, _ := n.reference(t, q, x)
		got := n.compute(t, m, x, true)
		if c := comparison.Of(description(t, m).Tensors, want, got); !c.Equal() || !varies(got) {
			t.Errorf("%+v, first %v", c, c.First)
		}
		plain := ops(t, n.export(t, q))
		for op, count := range ops(t, m) {
			if plain[op] != count {
				t.Errorf("%d x %s after fusion, %d in the plain file", count, op, plain[op])
			}
		}
	}
	for b := 2; b <= 8; b++ {
		q := n.plan.Uniform(b)
		m := n.exportWith(t, q, export.Options{Profile: export.ProfileORT, Packed: true})
		// The weights of layers, at most one byte of padding for each of three fields, biases, scales and the graph.
		var weights int64
		for i := range n.plan.Layers {
			w, _ := n.plan.Bits(q, i)
			weights += n.plan.Layers[i].Params * int64(w) / 8
		}
		plain := int64(len(marshal(t, n.export(t, q))))
		var params int64
		for i := range n.plan.Layers {
			params += n.plan.Layers[i].Params
		}
		size, rest := int64(len(marshal(t, m))), plain-params
		if size < weights || size > weights+rest+int64(len(n.plan.Layers))*2000 {
			t.Errorf("at %d bits the file has %d bytes, weights %d, everything else %d in the plain file", b, size, weights, rest)
		}
	}
}

func TestPackedRefusals(t *testing.T) {
	n := small(t)
	for _, profile := range export.Profiles() {
		_, err := export.Export(n.model, n.plan, n.supernet, n.plan.Uniform(4), export.Options{Profile: profile, Packed: true})
		if (err == nil) != (profile == export.ProfileORT) || err != nil && !strings.Contains(err.Error(), "packed weights: ") {
			t.Errorf("%s: %v", profile, err)
		}
	}
}
