package pass

import (
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/mutation"
	"github.com/mpqc/mpqc/onnx"
)

// FuzzNormalise wants an error or a sound model, in bounded memory, for models that exporters wrote and a script of
// bytes damaged.
func FuzzNormalise(f *testing.F) {
	models := mutation.Models(f, "testdata/exporters", "testdata/functions")
	for i := range models {
		for kind := range byte(8) {
			f.Add(uint8(i), []byte{kind, 7, 3, 19, kind + 1, 30, 2, 2})
		}
	}
	f.Add(uint8(6), []byte("0\"1C"))                  // the norm of a sample of 2^24 rows
	f.Add(uint8(4), []byte("\u055e&C\x10yDY\u055e&")) // a constant of 2^24 elements out of three numbers
	f.Add(uint8('i'), []byte("0\xde\xde\xde"))        // an axis of a Transpose that is none
	f.Fuzz(func(t *testing.T, which uint8, script []byte) {
		m := models[int(which)%len(models)].Clone()
		mutation.Apply(m, script)
		before := size(m)
		if err := Normalise(m); err != nil {
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("no longer sound: %v", err)
		}
		if after := size(m); after > 8*(perRead*before+freeWork) {
			t.Fatalf("%d bytes of constants became %d", before, after)
		}
		if data, err := m.Marshal(); err != nil {
			t.Fatal(err)
		} else if _, err := onnx.Parse(data, ""); err != nil {
			t.Fatalf("does not read back: %v", err)
		}
	})
}

// size is the bytes of a model's constants.
func size(m *onnx.Model) int {
	n := 0
	for _, v := range m.Graph.Initializers() {
		if t := v.Const(); t != nil {
			n += len(t.Raw)
		}
	}
	return n
}
