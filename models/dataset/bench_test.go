package dataset

import (
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

// BenchmarkBatch is what one core needs for a image of a training batch: read, decode, resize, augment, normalise. It
// stands beside the time that `mpqc bench train` states for a image.
func BenchmarkBatch(b *testing.B) {
	for _, c := range []struct{ name, model, data string }{
		{"CIFAR-10", "models/resnet20-cifar10.onnx", "data/cifar10-jpeg.zip"},
		{"CIFAR-10 at 64", "models/mobilenetv2-cifar10-64.onnx", "data/cifar10-jpeg.zip"},
		{"ImageNet", "models/efficientnet-lite0-imagenet.onnx", "data/imagenet-sample-1k.zip"},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := onnx.Load(testkit.Shared(b, c.model))
			if err != nil {
				b.Fatal(err)
			}
			set := openFor(b, m, testkit.Shared(b, c.data), All)
			order := Shuffle(set.Len(), 1, 0)
			l := set.NewLoader(b.Context(), LoaderOptions{Batch: 1, Indices: order, Workers: 1, Augment: Augmentation{Flip: true, Crop: true}})
			defer func() { l.Close() }()
			b.ResetTimer() // the index of an archive is read once in a training
			for i := range b.N {
				if i > 0 && i%set.Len() == 0 {
					l.Close()
					l = set.NewLoader(b.Context(), LoaderOptions{Batch: 1, Indices: order, Workers: 1, Augment: Augmentation{Flip: true, Crop: true}})
				}
				if _, err := l.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// openFor opens a split as a model takes it.
func openFor(t testing.TB, m *onnx.Model, data, split string) *Set {
	t.Helper()
	p, err := models.NewPreprocessing(m, "")
	if err != nil {
		t.Fatal(err)
	}
	shape, _ := m.Graph.Inputs()[0].Shape()
	set, err := Open(data, Options{Preprocessing: p, Split: split, Shape: shape[1:]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return set
}
