//go:build cgo

package dataset

import (
	"errors"
	"io"
	"math"
	"os"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
)

// TestKnownAccuracy decodes real images and compares the accuracy of networks in onnxruntime with the published one:
// the whole way of a image is right, or this fails. MPQC_LONG=1 takes all images.
func TestKnownAccuracy(t *testing.T) {
	for _, c := range []struct {
		name, model, data, split string
		short                    int
		top1, tolerance          float64 // percent, over all images
	}{
		{"CIFAR-10", "models/resnet20-cifar10.onnx", "data/cifar10-jpeg.zip", Test, 1000, 88.54, 0.15},
		{"CIFAR-10 resized", "models/mobilenetv2-cifar10-64.onnx", "data/cifar10-jpeg.zip", Test, 500, 82.63, 0.15},
		{"ImageNet sample", "models/efficientnet-lite0-imagenet.onnx", "data/imagenet-sample-1k.zip", All, 100, 87.5, 0.3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := ort.Available(); err != nil {
				testkit.Missing(t, "%v", err)
			}
			m, err := onnx.Load(testkit.Shared(t, c.model))
			if err != nil {
				t.Fatal(err)
			}
			set := openFor(t, m, testkit.Shared(t, c.data), c.split)
			n := c.short
			if os.Getenv("MPQC_LONG") != "" {
				n = set.Len()
			} else {
				p := c.top1 / 100 // three standard errors
				c.tolerance = 300 * math.Sqrt(p*(1-p)/float64(n))
			}
			top1 := 100 * accuracy(t, m, set, n)
			t.Logf("top-1 %.2f %% over %d images, %d not usable", top1, n, len(set.Bad()))
			if math.Abs(top1-c.top1) > c.tolerance {
				t.Errorf("top-1 %.2f %%, %.2f ± %.2f %% wanted", top1, c.top1, c.tolerance)
			}
		})
	}
}

func accuracy(t *testing.T, m *onnx.Model, set *Set, n int) float64 {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(b, ort.Options{Threads: 2, Optimize: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i * set.Len() / n
	}
	l := set.NewLoader(t.Context(), LoaderOptions{Batch: 50, Indices: indices})
	defer l.Close()
	right := 0
	for {
		batch, err := l.Next()
		if errors.Is(err, io.EOF) {
			return float64(right) / float64(n)
		}
		if err != nil {
			t.Fatal(err)
		}
		y, ys, err := s.RunFloat(t.Context(), batch.X, append(tensor.Shape{len(batch.Indices)}, set.Shape()...))
		if err != nil {
			t.Fatal(err)
		}
		for i, label := range batch.Labels {
			if argmax(y[i*ys[1]:(i+1)*ys[1]]) == int(label) {
				right++
			}
		}
	}
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
