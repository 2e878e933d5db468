package shape_test

import (
	"testing"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
)

// FuzzInfer wants an error or shapes, and no panic, for any document that can be parsed. The seeds are one model an
// operator, so that mutations reach the rules.
func FuzzInfer(f *testing.F) {
	for _, c := range cases() {
		m := onnx.New(17)
		if _, err := build(f, m.Graph, c); err != nil {
			f.Fatal(err)
		}
		data, err := m.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.Parse(data, "")
		if err != nil {
			return
		}
		if err := shape.Infer(m.Graph); err != nil {
			return
		}
		if _, err := m.Marshal(); err != nil {
			t.Fatal(err)
		}
	})
}
