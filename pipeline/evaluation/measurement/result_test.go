package measurement

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/pipeline/samples"
)

// TestRowsOfOddSizes: outputs whose size depends on the samples are an error and no panic.
func TestRowsOfOddSizes(t *testing.T) {
	var r Result
	for i, size := range []int{6, 6, 4} {
		y := make([]float32, 2*size)
		rows, list, err := metric.Rows([]ort.Floats{{Name: "boxes", Data: y, Shape: tensor.Shape{2, size / 2, 2}}}, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err = r.begin(list); err == nil {
			err = r.add(t.Context(), rows, samples.Batch{N: 2}, Options{})
		}
		if (err != nil) != (i == 2) || i == 2 && !strings.Contains(err.Error(), "6 values for some samples and 4 for others") {
			t.Errorf("batch %d: %v", i, err)
		}
	}
}

// TestAddKeepsOnRequest: outputs of all samples stay in memory only where they are wanted.
func TestAddKeepsOnRequest(t *testing.T) {
	r := &Result{}
	b := samples.Batch{N: 2, Done: 2}
	for _, keep := range []bool{false, true} {
		if err := r.add(t.Context(), make([]float32, 6), b, Options{Keep: keep}); err != nil || (len(r.Logits) > 0) != keep {
			t.Errorf("keep %v: %d outputs, %v", keep, len(r.Logits), err)
		}
	}
	other := Options{Against: Kept(make([]float32, 8), 2)}
	if err := r.add(t.Context(), make([]float32, 6), b, other); err == nil || !strings.Contains(err.Error(), "different numbers of outputs") {
		t.Errorf("error %v", err)
	}
}
