package quantize_test

import (
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/mutation"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
)

// FuzzNewPlan wants an error or a plan whose costs make sense, for models that exporters wrote and a script of bytes
// damaged.
func FuzzNewPlan(f *testing.F) {
	models := mutation.Models(f, "../onnx/pass/testdata/exporters")
	for i := range models {
		if err := pass.Normalise(models[i]); err != nil {
			f.Fatal(err)
		}
		for kind := range byte(8) {
			f.Add(uint8(i), []byte{kind, 7, 3, 19, kind + 1, 30, 2, 2})
		}
	}
	f.Add(uint8('G'), []byte("\x00\a\x03\x13\x01\x1e\xff\x7f")) // a cycle
	f.Fuzz(func(t *testing.T, which uint8, script []byte) {
		m := models[int(which)%len(models)].Clone()
		mutation.Apply(m, script) // of the normal form: what passes would repair or refuse gets through, too
		p, err := quantize.NewPlan(m, quantize.PlanOptions{Streams: true, ZeroPoints: which >= 128, Outputs: which%2 == 1})
		if err != nil {
			return
		}
		least, most := p.Min(), p.Max()
		if a, b := p.BitOPs(least), p.BitOPs(most); a < 0 || a > b {
			t.Errorf("BitOPs from %d to %d", a, b)
		}
		if a, b := p.PackedBytes(least, p.FloatRest), p.PackedBytes(most, p.FloatRest); a < 0 || a > b {
			t.Errorf("packed bytes from %d to %d", a, b)
		}
		for i, l := range p.Layers {
			if len(l.Candidates) == 0 || l.Point < 0 || l.Point >= len(p.Points) {
				t.Errorf("layer %d: %+v", i, l)
			}
		}
	})
}
