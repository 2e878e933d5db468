package metric

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/quantize"
)

// scores are one output of class scores.
func scores(classes int) Outputs {
	return Outputs{{Name: "scores", Kind: quantize.Scores, To: classes}}
}

func TestTally(t *testing.T) {
	logits := []float32{2, 1, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 3}
	list := scores(7)
	s := Tally{Labels: true}
	if !s.Begin(list) {
		t.Error("class scores are not for labels")
	}
	s.Add(list, logits, 2, []int32{0, 6})
	if s.Right != 1 || s.Right5 != 1 || s.N != 2 {
		t.Errorf("%+v", s)
	}
	want := math.Log(math.E*math.E+math.E+5) - 2 + math.Log(7)
	if math.Abs(s.Loss-want) > 1e-9 {
		t.Errorf("loss %g, want %g", s.Loss, want)
	}
	if top1 := s.Share(s.Right); top1 == nil || *top1 != 0.5 {
		t.Errorf("top-1 %v", top1)
	}
	if d := cmp.Diff(Hits{1, 0}, s.Hits); d != "" {
		t.Error(d)
	}
	values := Outputs{{Name: "boxes", Kind: quantize.Values, To: 7}}
	if wanting, content := (&Tally{Labels: true}), (&Tally{}); wanting.Begin(values) || !content.Begin(values) {
		t.Error("labels belong to values")
	}
	u := Tally{}
	u.Add(list, logits[:7], 1, nil)
	if u.Share(u.Right) != nil || u.N != 1 {
		t.Errorf("without labels: %+v", u)
	}
}

func TestDivergence(t *testing.T) {
	p, q := []float32{0, 0}, []float32{float32(math.Log(3)), 0}
	if d, want := divergence(p, q), 0.5*math.Log(0.5/0.75)+0.5*math.Log(0.5/0.25); math.Abs(d-want) > 1e-6 {
		t.Errorf("KL %g, want %g", d, want)
	}
	if d := divergence(q, q); d != 0 {
		t.Errorf("KL of equal logits is %g", d)
	}
}

func TestAgreement(t *testing.T) {
	share, flips := scores(2).Agreement([]float32{1, 0, 0, 1, 1, 1}, []float32{2, 0, 3, 1, 5, 4}, 3)
	if flips != 1 || math.Abs(share-2.0/3) > 1e-12 {
		t.Errorf("share %g, %d flips", share, flips)
	}
}

// TestSoftDivergence is the plain one at temperature 1 and, at high ones, half the variance of the differences.
func TestSoftDivergence(t *testing.T) {
	p, q := []float32{1, 2, -3, 0.5}, []float32{0.5, 2.5, -2, 1}
	if got, want := softDivergence(p, q, 1), divergence(p, q); got != want {
		t.Errorf("temperature 1: %g, want %g", got, want)
	}
	var mean, squares float64
	for i := range p {
		d := float64(p[i] - q[i])
		mean += d / 4
		squares += d * d / 4
	}
	if got, want := softDivergence(p, q, 300), (squares-mean*mean)/2; math.Abs(got-want) > 0.02*want {
		t.Errorf("temperature 300: %g, want %g", got, want)
	}
}
