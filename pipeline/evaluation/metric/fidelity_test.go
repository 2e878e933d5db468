package metric

import (
	"math"
	"testing"
)

func TestFidelity(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	list := Outputs{{Name: "a", From: 0, To: 2}, {Name: "b", From: 2, To: 3}}
	for _, tt := range []struct {
		name      string
		want, got []float32
		n         int
		snr       [2]float64
	}{
		{"equal", []float32{1, 2, 3, 3, 4, 5}, []float32{1, 2, 3, 3, 4, 5}, 2, [2]float64{MostSNR, MostSNR}},
		{"one output off", []float32{1, -1, 3, 1, -1, 5}, []float32{1.1, -1, 3, 1, -1.1, 5}, 2, [2]float64{23.01, MostSNR}},
		{"constant", []float32{1, -1, 10, 1, -1, 10}, []float32{1, -1, 9, 1, -1, 10}, 2, [2]float64{MostSNR, 23.01}},
		{"nothing is right", []float32{1, -1, 0, 1, -1, 0}, []float32{1, -1, 9, 1, -1, 9}, 2, [2]float64{MostSNR, -MostSNR}},
		{"not finite on both sides", []float32{nan, inf, 3}, []float32{nan, inf, 3}, 1, [2]float64{MostSNR, MostSNR}},
		{"not finite on one side", []float32{1, 2, 3}, []float32{1, nan, inf}, 1, [2]float64{-MostSNR, -MostSNR}},
		{"infinities of two signs", []float32{1, inf, 3}, []float32{1, -inf, 3}, 1, [2]float64{-MostSNR, MostSNR}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for k, f := range list.Fidelity(tt.want, tt.got, tt.n) {
				if math.Abs(f.SNR-tt.snr[k]) > 0.01 || f.Name != list[k].Name {
					t.Errorf("output %q: %g dB, want %g", f.Name, f.SNR, tt.snr[k])
				}
			}
		})
	}
}
