//go:build cgo

package dataset

import (
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

func TestEmbeddedExample(t *testing.T) {
	b, data, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(b, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := models.NewPreprocessing(m, "")
	if err != nil {
		t.Fatal(err)
	}
	shape, _ := m.Graph.Inputs()[0].Shape()
	for split, want := range map[string]int{Train: 4000, Test: 2000} {
		s, err := OpenFS(data, models.ExampleName, Options{Preprocessing: p, Split: split, Shape: shape[1:]})
		if err != nil {
			t.Fatal(err)
		}
		var classes [10]int
		for i := range s.Len() {
			classes[s.Label(i)]++
		}
		for c, n := range classes {
			if n != want/10 {
				t.Errorf("%s: %d images of class %d, want %d", split, n, c, want/10)
			}
		}
		if split == Train || ort.Available() != nil {
			continue
		}
		top1 := 100 * accuracy(t, m, s, s.Len())
		t.Logf("float top-1 %.2f %%", top1)
		if top1 < 91 {
			t.Errorf("float top-1 is %.2f %%", top1)
		}
	}
}
