package train

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// BenchmarkProducts takes turns between steps of four paths, with products of integers and of floats, and reports how
// many times as fast a step is with integers.
func BenchmarkProducts(b *testing.B) {
	for _, file := range []string{"models/resnet20-cifar10-bn.onnx", "models/resnet18-cifar10-64.onnx", "models/mobilenetv2-cifar10-64.onnx"} {
		b.Run(file, func(b *testing.B) {
			c := newCalibrated(b, file, 64)
			pool := par.New(2)
			defer pool.Close()
			var trainers [2]*Trainer
			for i := range trainers {
				net := c.rewritten(b, fakequant.Options{BiasRounding: true, FloatProducts: i == 1})
				var err error
				if trainers[i], err = New(net, Defaults(), pool); err != nil {
					b.Fatal(err)
				}
			}
			batch := Batch{X: c.x, Labels: c.label, N: c.n}
			var seconds [2][]time.Duration
			for b.Loop() {
				for i, t := range trainers {
					start := time.Now()
					if _, err := t.Step(b.Context(), batch, t.Paths(t.Done())); err != nil {
						b.Fatal(err)
					}
					seconds[i] = append(seconds[i], time.Since(start))
				}
			}
			var ratio []float64
			for i := range seconds[0] {
				ratio = append(ratio, float64(seconds[1][i])/float64(seconds[0][i]))
			}
			b.ReportMetric(median(seconds[0]).Seconds()*1e3, "ms/step")
			b.ReportMetric(median(ratio), "times_float")
		})
	}
}

func median[T cmp.Ordered](x []T) T {
	slices.Sort(x)
	return x[len(x)/2]
}
