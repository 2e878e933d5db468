package decode_test

import (
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit/mutation"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/onnx/shape"
)

// FuzzDecode wants an error or a result, for models that exporters wrote and a script of bytes damaged before or after
// they were brought into normal form.
func FuzzDecode(f *testing.F) {
	models := mutation.Models(f, "../../../onnx/pass/testdata/exporters")
	for i := range models {
		for kind := range byte(8) {
			f.Add(uint8(i), []byte{kind, 7, 3, 19}, []byte{})
			f.Add(uint8(i), []byte{}, []byte{kind, 30, 2, 2})
		}
	}
	f.Add(uint8(3), []byte("\x00\a\x03\x12"), []byte{})           // a stride of 2^62
	f.Add(uint8('X'), []byte("200C"), []byte("\x02\x02\x02\x1e")) // buffers of 100 GB
	pool := par.New(1)
	f.Cleanup(pool.Close)
	f.Fuzz(func(t *testing.T, which uint8, before, after []byte) {
		m := models[int(which)%len(models)].Clone()
		mutation.Apply(m, before)
		if pass.Normalise(m) != nil {
			return
		}
		mutation.Apply(m, after)
		if m.Validate() != nil || shape.Infer(m.Graph) != nil || large(m) {
			return
		}
		g, err := decode.Decode(m)
		if err != nil {
			return
		}
		e, err := engine.Compile(g, engine.Options{Batch: 2, Pool: pool, MaxBytes: 1 << 28})
		if err != nil {
			return
		}
		if err := e.Forward(t.Context()); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
	})
}

// large reports whether a sample takes more memory than is worth to try, or its shapes are not known.
func large(m *onnx.Model) bool {
	values := append(m.Graph.Inputs(), m.Graph.Initializers()...)
	for _, n := range m.Graph.Nodes() {
		values = append(values, n.Outputs()...)
	}
	total := 0
	for _, v := range values {
		if v == nil {
			continue
		}
		s, known := v.Shape()
		k := s.WithBatch(1).Numel()
		if total += k; !known || k < 0 || k > 1<<18 || total > 1<<20 {
			return true
		}
	}
	return false
}
