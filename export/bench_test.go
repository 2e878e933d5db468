package export_test

import (
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize/integer"
)

func BenchmarkExport(b *testing.B) {
	n := load(b, "models/resnet20-cifar10.onnx", false)
	q := mixed(n.plan, 1)
	for b.Loop() {
		m, err := export.Export(n.model, n.plan, n.supernet, q, export.Options{Profile: export.ProfileORT})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Marshal(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReference computes 64 samples.
func BenchmarkReference(b *testing.B) {
	n := load(b, "models/resnet20-cifar10.onnx", false)
	x := n.samples(64, 5)
	r, err := integer.Build(n.model, n.plan, n.supernet, mixed(n.plan, 1))
	if err != nil {
		b.Fatal(err)
	}
	pool := par.New(0)
	defer pool.Close()
	for b.Loop() {
		if _, err := r.Run(b.Context(), pool, x, 64, true); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRuntime computes 64 samples with one thread, in float and at mixed bits.
func BenchmarkRuntime(b *testing.B) {
	requireRuntime(b)
	n := load(b, "models/resnet20-cifar10.onnx", false)
	x := n.samples(64, 5)
	q := mixed(n.plan, 1)
	for name, m := range map[string][]byte{"float": marshal(b, n.model), "mixed": marshal(b, n.export(b, q)), "8bit": marshal(b, n.export(b, n.plan.Max()))} {
		b.Run(name, func(b *testing.B) {
			s, err := ort.Open(m, ort.Options{Optimize: true, Threads: 1})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, _, err := s.RunFloat(b.Context(), x, append(tensor.Shape{64}, n.shape...)); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
