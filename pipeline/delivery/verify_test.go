package delivery

import (
	"testing"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/quantize"
)

// TestBeyond: what the whole file is off by is an error where it is much by itself and beside what quantization does.
func TestBeyond(t *testing.T) {
	scores := metric.Outputs{{Name: "y", Kind: quantize.Scores, From: 0, To: 10}}
	for _, tt := range []struct {
		name                   string
		snr, quantized, change float64
		flips, samples         int
		ok                     bool
	}{
		{"equal", metric.MostSNR, 30, 0.01, 0, 1000, true},
		{"rounding", 42, 33, 0.007, 2, 1000, true},
		{"saturation at 8 bit", 14.1, 33, 0.007, 63, 1000, false},
		{"saturation at 8 bit, predictions alone", 42, 33, 0.007, 63, 1000, false},
		{"saturation at 4 bit", 13.4, 18, 0.035, 69, 1000, false},
		{"rounding of few codes", 20, 8, 0.2, 90, 1000, true},
		{"one sample of eight", 40, 30, 0, 1, 8, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &record.File{Flips: tt.flips, SamplesCompared: tt.samples, Outputs: []metric.Fidelity{{Name: "y", SNR: tt.snr}}}
			if text := beyond(f, scores, []metric.Fidelity{{Name: "y", SNR: tt.quantized}}, tt.change); (text == "") != tt.ok {
				t.Errorf("%q", text)
			}
		})
	}
}
