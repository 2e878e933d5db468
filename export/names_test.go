package export_test

import (
	"fmt"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// relu6s is a network with Clips, whose tops are as given, in front of all that can follow one.
func relu6s(top float32) func(b *graphBuilder) {
	return func(b *graphBuilder) {
		bounds := " " + b.scalar("zero", 0) + " " + b.scalar("six", top)
		b.conv("c0", "x", 4, 8)
		b.op("Clip", "k0", "c0"+bounds)
		b.op("MaxPool", "p", "k0", onnx.IntsAttr("kernel_shape", []int64{1, 1}))
		b.conv("c1", "p", 8, 8)
		b.op("Clip", "k1", "c1"+bounds)
		b.op("Add", "a", "k1 p")
		b.conv("c2", "a", 8, 8)
		b.conv("c3", "k0", 8, 8)
		b.op("Add", "a2", "c2 c3")
		b.op("Clip", "k2", "a2"+bounds)
		b.conv("c4", "k2", 8, 8)
		b.op("Add", "a3", "c4 k2")
		b.head("a3", 8)
	}
}

// TestOneName exports networks with Clips at every profile, over step sizes from far below their tops to far above, and
// reads the files back: every node and every value has a name of its own.
func TestOneName(t *testing.T) {
	for _, top := range []float32{0.7, 6, 6.0003} {
		n := prepare(t, build(t, relu6s(top)), false, 2, 4, 8)
		for seed := range uint64(12) {
			stretch(n, top*[]float32{0.4, 0.9, 1, 1.001, 1.3, 7}[seed%6])
			q := mixed(n.plan, seed)
			for _, p := range export.Profiles() {
				if export.Named(p).Int8 {
					continue
				}
				t.Run(fmt.Sprintf("%g %d %s", top, seed, p), func(t *testing.T) {
					m, err := onnx.Parse(marshal(t, n.exportAs(t, p, q)), "")
					if err != nil {
						t.Fatal(err)
					}
					if err := m.Validate(); err != nil {
						t.Error(err)
					}
					if _, err := export.Standard(m); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// stretch makes activation steps such that the highest code of every width is about top.
func stretch(n network, top float32) {
	for i := range n.plan.Points {
		tensor := n.plan.Points[i].Tensor
		for _, bits := range []int{2, 4, 8} {
			if a, ok := n.supernet.Arrays[quantize.StepName(tensor, bits)]; ok {
				a.Data[0] = top / float32(int(1)<<bits-1)
			}
		}
		if a, ok := n.supernet.Arrays[quantize.StreamName(tensor)]; ok {
			a.Data[0] = top / 255
		}
	}
}
