package scoring

import (
	"testing"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/quantize"
)

// TestGuess: a network that says the mean of everything is as far from the widest policy as its outputs spread.
func TestGuess(t *testing.T) {
	e := &Evaluator{o: Options{Outputs: metric.Outputs{{Kind: quantize.Values, From: 0, To: 1}}}, n: 2, widest: []float32{1, 3}, spread: [][]float64{{1}}}
	if got := e.Guess(); got != 1 {
		t.Errorf("%g for values one away from their mean, of variance 1", got)
	}
	e = &Evaluator{o: Options{Outputs: metric.Outputs{{Kind: quantize.Scores, From: 0, To: 2}}}, n: 2, widest: []float32{0, 9, 9, 0}, spread: [][]float64{nil}}
	even := e.Guess()
	e.widest = []float32{0, 1, 1, 0}
	if unsure := e.Guess(); even <= unsure || unsure <= 0 {
		t.Errorf("%g for sure scores, %g for unsure ones", even, unsure)
	}
}
