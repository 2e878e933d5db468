package quantize

import (
	"math"
	"testing"
)

// FuzzParseTarget wants finite limits or an error.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"4.0bit", "w4.0a8", "w3.5a4.5", "33.9GBitOPs", "6MB", "max-drop=1.0", "4.0bit,2MB", "", ",", "w", "1e999bit", "NaNbit", "-3bit"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text)
		if err != nil {
			return
		}
		if len(target.Limits) == 0 && !target.HasMaxDrop {
			t.Errorf("%q has no limits", text)
		}
		for _, l := range target.Limits {
			if math.IsNaN(l.Value) || math.IsInf(l.Value, 0) || l.Value < 0 {
				t.Errorf("%q is a limit of %g", text, l.Value)
			}
		}
	})
}
